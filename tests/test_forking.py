"""A forked process equals a new interpreter, except for its imports."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import fork_server
from tests.forking import children_of, forked_children, run_python

__all__ = ["forked_children"]

TELL = """
import json, os, resource, sys
print(json.dumps({
    "pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0), "group": os.getpgid(0),
    "nice": os.nice(0), "umask": os.umask(0), "limits": resource.getrlimit(resource.RLIMIT_CORE),
    "cwd": os.getcwd(), "argv": sys.argv, "path": sys.path, "environment": dict(os.environ),
    "descriptors": sorted(map(int, os.listdir("/proc/self/fd")))[:-1],
    "command": open("/proc/self/cmdline").read().rstrip(chr(0)).split(chr(0)),
    "shown": sorted(open("/proc/self/environ").read().strip(chr(0)).split(chr(0))),
    "threads": os.listdir("/proc/self/task"), "preloaded": "pandas" in sys.modules,
    "main": __name__, "tests": sorted(n for n in sys.modules if n.split(".")[0] == "tests"),
}))
"""
ALIKE = (
    *("parent", "nice", "umask", "limits", "cwd", "argv", "path", "environment", "descriptors"),
    *("command", "main", "shown", "tests"),
)


def tell(start: Any, *words: str, **more: Any) -> dict[str, Any]:
    """What a process says of itself, whichever way it is started."""
    command = [sys.executable, *words]
    with start(command, stdout=subprocess.PIPE, text=True, **more) as process:
        told: dict[str, Any] = json.loads(process.stdout.read())
    assert process.returncode == 0
    assert process.pid == told["pid"]
    return told


@pytest.mark.parametrize("words", [("-c", TELL, "a", ""), ("-P", "-c", TELL), ("tell.py", "b")])
def test_it_is_as_a_new_interpreter(words: tuple[str, ...], tmp_path: Path) -> None:
    """A child of who asked, alone, with what it was given and what a child inherits."""
    (tmp_path / "tell.py").write_text(TELL)
    environment = {**os.environ, "GIVEN": "ü", "PYTHONPATH": str(tmp_path / "elsewhere")}
    ours, theirs = socket.socketpair()
    core = resource.getrlimit(resource.RLIMIT_CORE)
    with ours, theirs:
        resource.setrlimit(resource.RLIMIT_CORE, (0, core[1]))
        mask = os.umask(0o027)
        try:
            more = {"cwd": tmp_path, "env": environment, "pass_fds": [theirs.fileno()]}
            new = tell(fork_server.NEW_INTERPRETER, *words, **more)
            forked = tell(subprocess.Popen, *words, **more)
        finally:
            os.umask(mask)
            resource.setrlimit(resource.RLIMIT_CORE, core)
    assert (new["preloaded"], forked["preloaded"]) == (False, True)
    assert {name: forked[name] for name in ALIKE} == {name: new[name] for name in ALIKE}
    assert forked["group"] == new["group"] == os.getpgrp()
    assert forked["threads"] == [str(forked["pid"])]


def test_it_has_a_session_of_its_own_where_asked_for() -> None:
    """Already when ``Popen`` returns, so that its group can be killed at once."""
    code = "import time; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as process:
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    told = tell(subprocess.Popen, "-c", TELL, start_new_session=True)
    assert told["session"] == told["group"] == told["pid"]


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit('so')", 1, "so\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("import os; os.abort()", -signal.SIGABRT, ""),
        ("import os; os.kill(os.getpid(), 2)", -signal.SIGINT, "KeyboardInterrupt\n"),
        ("import atexit; atexit.register(print, 'end', file=__import__('sys').stderr)", 0, "end\n"),
    ],
)
def test_it_ends_as_an_interpreter_does(code: str, status: int, said: str, tmp_path: Path) -> None:
    """Exit codes, signals, tracebacks and what is registered for the end."""
    done = run_python(["-c", code], cwd=tmp_path, env=os.environ)
    assert done.returncode == status
    assert done.stderr.endswith(said)


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        ((), {"GNOMON_PORTABLE": "1"}),
        ((), {"OMP_NUM_THREADS": "2"}),
        ((), {"PYTHONHASHSEED": "1"}),
        (("-S",), {}),
        (("-W", "error"), {}),
    ],
)
def test_what_is_read_as_it_starts_has_a_new_interpreter_started(
    options: tuple[str, ...], variables: dict[str, str]
) -> None:
    """Otherwise the variable or the option would have no effect."""
    told = tell(subprocess.Popen, *options, "-c", TELL, env={**os.environ, **variables})
    assert not told["preloaded"]


def test_a_folder_or_program_that_is_not_there_is_reported(tmp_path: Path) -> None:
    """The error is that of ``subprocess``."""
    with pytest.raises(FileNotFoundError):
        subprocess.run([sys.executable, "-c", ""], cwd=tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        subprocess.run(["./none"], cwd=tmp_path)


def test_fork_servers_are_not_among_the_children() -> None:
    """Tests look at the processes of a server, which are to be those of a real one."""
    me = psutil.Process()
    assert any(fork_server.__file__ in child.cmdline() for child in me.children())
    assert not any(fork_server.__file__ in child.cmdline() for child in children_of(me))
