"""A child that inspects and loads artifacts, in bounded time and memory, and reports what
it did.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

MOST_BYTES = 3 * 2**30
"""Address space of the child; libraries alone map more than one GB."""

MOST_SECONDS = 60.0
"""A child that has not answered by then hangs."""

SCRIPT = """
import json, os, resource, sys, time, warnings
warnings.simplefilter("ignore")
from pathlib import Path
import gnomon.artifact.fresh_process
from gnomon.errors import GnomonError
from gnomon.artifact import inspect, load
from gnomon.compat.skops import import_without_estimators
import_without_estimators()
import gnomon.artifact.loading
import sklearn.ensemble, sklearn.compose, sklearn.linear_model, sklearn.impute

BAD = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect",
       "socket.bind", "ctypes.dlopen", "os.remove", "os.rename", "os.mkdir", "shutil.", "pty.spawn")
done = []

def watch(event, arguments):
    if event.startswith(BAD):
        done.append(event)
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & 3:
        done.append(f"open {arguments[0]!r} to write")

def attempt(function, place, **more):
    del done[:]
    began = time.monotonic()
    try:
        result = function(place, **more)
        said = ["fine", str(result.tag if hasattr(result, "tag") else result.artifact.tag)]
    except GnomonError as error:
        said = [type(error).__name__, str(error)]
    except BaseException as error:
        said = ["RAISED " + type(error).__name__, str(error)]
    return {"said": said, "done": list(done), "seconds": time.monotonic() - began}

READERS = {}
if sys.argv[2] == "all":
    from gnomon.drift.measure import frozen
    READERS = {
        "drift": lambda place: (found := inspect(place), frozen(found))[0],
        "checks": lambda place: (found := inspect(place), found.checks())[0],
    }

resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
sys.addaudithook(watch)
for line in sys.stdin:
    place = Path(json.loads(line))
    answer = {"inspect": attempt(inspect, place), "load": attempt(load, place)}
    if READERS:
        answer |= {name: attempt(read, place) for name, read in READERS.items()}
    for finder in [f for f in sys.meta_path if type(f).__name__ == "VendoredCode"]:
        sys.meta_path.remove(finder)
    for name in [n for n in [*sys.modules] if n.partition(".")[0] == "preprocessing"]:
        del sys.modules[name]
    print(json.dumps(answer), flush=True)
"""


class Watcher:
    """The child, asked about one artifact after the other; a context manager.

    Args:
        everything: ask about the profile and the checks of the artifact, too.
    """

    def __init__(self, *, everything: bool = False) -> None:
        self._what = "all" if everything else "loading"

    def memory(self) -> int:
        """The most bytes it has had in memory."""
        status = Path(f"/proc/{self._child.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def __enter__(self) -> Watcher:
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-c", SCRIPT, str(MOST_BYTES), self._what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._child.kill()
        self._child.communicate()

    def ask(self, folder: Path) -> dict[str, Any]:
        """The result of inspecting and then loading an artifact: ``said``, ``done`` and ``seconds``
        each.
        """
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.write(json.dumps(str(folder)) + "\n")
        self._child.stdin.flush()
        killer = threading.Timer(MOST_SECONDS, self._child.kill)
        killer.start()
        line = self._child.stdout.readline()
        killer.cancel()
        if not line:
            raise AssertionError(f"the child died: {self._child.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer
