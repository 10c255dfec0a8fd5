"""The start of a worker: a new interpreter that finds its artifact's code before any other."""

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
"""Makes a worker serve without verifying its golden rows."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Process(Protocol):
    """A process that can be killed and waited for, like ``subprocess.Popen``."""

    @property
    def pid(self) -> int:
        """The process id."""

    def kill(self) -> None:
        """Send SIGKILL."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end, and return its exit code."""


class Spawned(NamedTuple):
    """A worker's process and the control socket that keeps it alive."""

    process: Process
    control: socket.socket


def spawn(
    artifact: Artifact, settings: Settings, python: str | None = None, *, verify: bool = True
) -> Spawned:
    """Start a worker for an artifact. It lives as long as the control socket is open.

    Args:
        artifact: the inspected artifact; the worker refuses a different one found in its place.
        settings: the worker's.
        python: the interpreter to run; this process's interpreter if not given. ``gnomon`` is
            always this process's; all other packages are those that the interpreter has installed.
        verify: whether the worker checks the golden rows before it reports that it is ready.

    The interpreter starts without the working directory on its path (``-P``).
    """
    control, child_end = platform.control_pair()
    with child_end:
        process = subprocess.Popen(
            [
                python or sys.executable,
                "-P",
                "-m",
                "gnomon.worker",
                str(artifact.path),
                artifact.digest,
                str(child_end.fileno()),
                *([] if verify else [UNVERIFIED]),
            ],
            pass_fds=[child_end.fileno()],
            stdin=subprocess.DEVNULL,
            env=child_environment(settings),
        )
        platform.end_with_socket(child_end, process.pid)  # until it has loaded
    return Spawned(process, control)


def inherited(number: str) -> int:
    """Return a descriptor that the parent passed by number, moved to the lowest free number.

    A gateway with thousands of connections passes numbers that ``select`` does not accept.
    """
    original = int(number)
    low = os.dup(original)
    os.close(original)
    return low


def child_environment(settings: Settings) -> dict[str, str]:
    """Return the environment for a child: this process's, its settings, and ``gnomon`` importable.

    Secrets are left out: the child may run user code. A built bento contains ``gnomon`` as source,
    on the path of the gateway but not installed.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GNOMON_")}
    if keys := os.environ.get(TRUSTED_KEYS):  # settings made in code do not turn the check off
        environment[TRUSTED_KEYS] = keys
    environment.update(settings.environment())
    environment[platform.VARIABLE] = str(int(platform.IS_PORTABLE))  # same on both socket ends
    environment.update(dict.fromkeys(_THREADS, str(settings.worker_threads)))
    home = str(Path(__file__).parents[2])
    path = [home, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(path))
    return environment


def reap(process: Process) -> int:
    """Wait for a worker to end, killing it after five seconds, and return its exit code."""
    try:
        return process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
