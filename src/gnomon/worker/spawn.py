"""Start a worker: a new interpreter that sees its artifact's code before anything else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gnomon.compat import platform
from gnomon.settings import TRUSTED_KEYS, Settings

if TYPE_CHECKING:
    from gnomon.artifact import Artifact

__all__ = [
    "UNVERIFIED",
    "Process",
    "Spawned",
    "child_environment",
    "inherited",
    "reap",
    "spawn",
]

UNVERIFIED = "unverified"
"""Has a worker serve rows whether or not its golden rows come out as recorded."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Process(Protocol):
    """A process that is waited for, as ``subprocess.Popen`` is."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def kill(self) -> None:
        """Send SIGKILL."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended."""


class Spawned(NamedTuple):
    """A worker's process and the control socket that keeps it alive."""

    process: Process
    control: socket.socket


def spawn(
    artifact: Artifact, settings: Settings, python: str | None = None, *, verify: bool = True
) -> Spawned:
    """Start a worker for an artifact. It lives as long as the control socket is open.

    Args:
        artifact: the inspected artifact; the worker refuses any other that it finds in its place.
        settings: the worker's.
        python: the interpreter to run; this one when not given. ``gnomon`` is this one's in any
            case, everything else is what that interpreter has installed.
        verify: whether it runs the golden rows before it says that it is ready.

    The interpreter starts without the working directory on its path (``-P``).
    """
    ours, theirs = platform.control_pair()
    with theirs:
        process = subprocess.Popen(
            [
                python or sys.executable,
                "-P",
                "-m",
                "gnomon.worker",
                str(artifact.path),
                artifact.digest,
                str(theirs.fileno()),
                *([] if verify else [UNVERIFIED]),
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env=child_environment(settings),
        )
        platform.end_with_socket(theirs, process.pid)  # until it has loaded
    return Spawned(process, ours)


def inherited(number: str) -> int:
    """In a child: a descriptor its parent handed down by number, under a low number of its own.

    A gateway with thousands of connections hands down numbers that ``select`` does not take.
    """
    given = int(number)
    low = os.dup(given)
    os.close(given)
    return low


def child_environment(settings: Settings) -> dict[str, str]:
    """This process's environment for a child: its settings, and this very ``gnomon`` importable.

    Secrets are left out: the child may run user code. A built bento carries ``gnomon`` as source,
    on the path of the gateway but not installed.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GNOMON_")}
    if keys := os.environ.get(TRUSTED_KEYS):  # settings made by hand do not turn them off
        environment[TRUSTED_KEYS] = keys
    environment.update(settings.environment())
    environment[platform.VARIABLE] = str(int(platform.IS_PORTABLE))  # both ends of a socket alike
    environment.update(dict.fromkeys(_THREADS, str(settings.worker_threads)))
    home = str(Path(__file__).parents[2])
    path = [home, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(path))
    return environment


def reap(process: Process) -> int:
    """The exit code of a worker that was let go; one that stays is killed after five seconds."""
    try:
        return process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
