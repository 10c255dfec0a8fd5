"""The system calls of real processes, in the order in which they ended, as strace saw them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gnomon.errors import NotReady, ServerError
from gnomon.service.client.clients import Client
from gnomon.settings import Settings
from gnomon.testing import Server, free_port

CALLS = (
    "fsync,fdatasync,rename,renameat,renameat2,link,linkat,mkdir,mkdirat,"
    "write,writev,sendmsg,sendto"
)

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs strace, to see system calls in their order"
)

_UNFINISHED = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_WHOLE = re.compile(r"^(\d+) +(\w+)\((.*)$")
_FAILED = re.compile(r"= -1 E[A-Z]+ ")


@dataclass(frozen=True)
class Call:
    """One system call that succeeded: its name, and its arguments as strace prints them."""

    name: str
    arguments: str

    @property
    def paths(self) -> list[str]:
        """The files it names, and the file behind its descriptor."""
        return [
            *re.findall(r'"((?:[^"\\]|\\.)*)"', self.arguments),
            *re.findall(r"<(/[^>]*)>", self.arguments.split(",")[0].split(")")[0]),
        ]

    @property
    def synced(self) -> str | None:
        """The file or folder that it forced to disk."""
        return self.paths[-1] if self.name in ("fsync", "fdatasync") and self.paths else None

    @property
    def named(self) -> tuple[str, str] | None:
        """Return the old and the new name, if the call gave a file a name."""
        paths = re.findall(r'"((?:[^"\\]|\\.)*)"', self.arguments)
        is_naming = self.name.startswith(("rename", "link"))
        return (paths[0], paths[1]) if is_naming and len(paths) > 1 else None


def strace(output: Path) -> list[str]:
    """The command that records the calls of what follows it, and of its children."""
    return [
        "strace", "-f", "-y", "--seccomp-bpf", "-s", "256", "-e", f"trace={CALLS}",
        "-e", "signal=none", "-o", str(output),
    ]  # fmt: skip


def calls(output: Path) -> list[Call]:
    """What was recorded, in the order in which the calls ended."""
    return list(_read(output.read_text(errors="replace").splitlines()))


def _read(lines: Sequence[str]) -> Iterator[Call]:
    unfinished: dict[str, str] = {}
    for line in lines:
        if match := _UNFINISHED.match(line):
            unfinished[match[1]] = match[3]
        elif match := _RESUMED.match(line):
            if not _FAILED.search(line):
                yield Call(match[2], unfinished.pop(match[1], "") + match[3])
        elif (match := _WHOLE.match(line)) and not _FAILED.search(line):
            yield Call(match[2], match[3])


@contextmanager
def traced(
    deployment: Path, root: Path, output: Path, environment: Mapping[str, str], umask: int
) -> Iterator[Server]:
    """Serve a deployment under strace and a umask, until the block ends."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    variables = {**os.environ, "GNOMON_ROOT": str(root), "GNOMON_URL": url, **environment}
    with (output.parent / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [
                *strace(output), sys.executable, "-m", "bentoml", "serve", "service:Gateway",
                "--host", "127.0.0.1", "--port", str(port),
            ],
            cwd=deployment, env=variables, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True, umask=umask,
        )  # fmt: skip
    server = Server(url, process, Settings.read(variables), output.parent / "server.log")
    try:
        _wait(server)
        yield server
    finally:
        _end(process)


def _wait(server: Server) -> None:
    limit = time.monotonic() + 120
    with Client(server.url) as client:
        while True:
            try:
                return client.wait_ready(1.0)
            except (NotReady, ServerError):
                if server.process.poll() is not None or time.monotonic() > limit:
                    raise AssertionError(server.log.read_text()[-3000:]) from None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the traced server, then strace and whatever is left of the session."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for child in children.read_text().split() if children.exists() else ():
        os.kill(int(child), signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
