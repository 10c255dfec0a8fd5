"""What the kernel holds a worker to: the memory it may use, and whom it ends with."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import resource
import select
import signal
import socket
from pathlib import Path

import pyarrow as pa

from gnomon.errors import WorkerError

__all__ = ["RunQueue", "die_with_parent", "die_with_tether", "limit_memory", "ran_out"]

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, in whatever state it is then.

    To the kernel the parent is the thread that started it.

    Args:
        parent: the process id of the parent; if it has ended already, so does this process.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


class RunQueue:
    """How long the calling thread has stood ready to run while others had the processors.

    What it takes is then told apart from what a busy machine makes of it. See
    https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat; a kernel without it
    never says that anything waited.
    """

    def __init__(self) -> None:
        try:
            self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._file = -1

    def micros(self) -> int:
        """Microseconds since the thread began."""
        if self._file < 0:
            return 0
        _, waited, _ = os.pread(self._file, 128, 0).split()
        return int(waited) // 1000


def die_with_tether(tether: socket.socket) -> None:
    """Have the kernel kill this process when the other end of a socket is closed everywhere.

    It is killed in whatever state it is then, and no longer when its parent ends. Nothing may be
    written to the socket: that would kill it too.
    """
    fcntl.fcntl(tether, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(tether, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(tether, fcntl.F_SETFL, fcntl.fcntl(tether, fcntl.F_GETFL) | os.O_ASYNC)
    closed = select.poll()
    closed.register(tether, select.POLLIN)
    if closed.poll(0):
        os._exit(0)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 0)
    tether.detach()  # It stays open for as long as this process lives.


def limit_memory(most: int) -> None:
    """Let this process use ``most`` bytes of memory of its own, 0 for any number.

    Over it an allocation fails: ``MemoryError`` in Python. The kernel's limit is on address space,
    reserved or used. So it is set to what is reserved now plus what may still be used; and Arrow,
    whose own allocator reserves a gigabyte, has to use the system's.

    Raises:
        WorkerError: the process uses as much already.
    """
    if not most:
        return
    pa.set_memory_pool(pa.system_memory_pool())
    status = Path("/proc/self/status").read_text()
    reserved, used = (_bytes(status, name) for name in ("VmData", "RssAnon"))
    if used >= most:
        raise WorkerError(
            f"the artifact takes {used:,} bytes of memory when it is loaded; a worker may use "
            f"{most:,}",
            hint="raise GNOMON_WORKER_BYTES",
        )
    limit, (_, allowed) = reserved + most - used, resource.getrlimit(resource.RLIMIT_DATA)
    if allowed != resource.RLIM_INFINITY:
        limit = min(limit, allowed)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def ran_out(error: BaseException | None) -> bool:
    """Whether an error is, or came of, there being no memory left."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__ or error.__context__
    return error is not None


def _bytes(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
