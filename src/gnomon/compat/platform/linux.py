"""The calls of Linux; :mod:`gnomon.compat.platform.portable` has replacements without them."""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import os
import re
import resource
import select
import signal
import socket
import sys
import termios
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = [
    "ChildWatch",
    "RunQueue",
    "adopt_orphans",
    "control_pair",
    "die_with_parent",
    "die_with_tether",
    "end_with_socket",
    "is_running",
    "kill_first",
    "limit_memory",
    "limit_unread",
    "memory_folder",
    "outlive_socket",
    "own_descriptors",
    "process_space",
    "process_start",
    "raise_descriptors",
    "recv_packet",
    "reserve",
    "send_packet",
    "stop_listening",
    "sync_content",
    "sync_descriptor",
    "unread_bytes",
]

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_MOST_DESCRIPTORS = 253
"""The kernel's limit for one packet."""


# Processes


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process, in whatever state it is, when its parent ends.

    The kernel regards the thread that started this process as its parent.

    Args:
        parent: the process id of the parent; if it has ended already, so does this process.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def die_with_tether(tether: socket.socket) -> None:
    """Have the kernel kill this process when the other end of a socket is closed everywhere.

    The process is killed in whatever state it is, and no longer when its parent ends. Nothing may
    be written to the socket: that would kill the process too.
    """
    fcntl.fcntl(tether, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(tether, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(tether, fcntl.F_SETFL, fcntl.fcntl(tether, fcntl.F_GETFL) | os.O_ASYNC)
    closed = select.poll()
    closed.register(tether, select.POLLIN)
    if closed.poll(0):
        os._exit(0)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 0)
    tether.detach()  # It stays open as long as this process lives.


def adopt_orphans() -> None:
    """Become the parent of processes whose parent, a descendant of this process, has ended."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


class ChildWatch:
    """A descriptor that can be read once a child process has ended (a pidfd).

    The portable watch may give false alarms, so callers must use ``waitpid`` with ``WNOHANG``.

    Args:
        pid: the process id of a child that was not waited for.
    """

    def __init__(self, pid: int) -> None:
        self._descriptor = os.pidfd_open(pid)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def clear(self) -> None:
        """Reset the watch after a false alarm; this one gives none."""

    def close(self) -> None:
        """Stop watching."""
        os.close(self._descriptor)


def kill_first(score: int) -> None:
    """Have the kernel kill this process, and its children, before others when memory is short.

    Args:
        score: ``oom_score_adj``, up to 1,000: the higher, the sooner.
    """
    with contextlib.suppress(OSError):  # A container may forbid it.
        Path("/proc/self/oom_score_adj").write_text(str(score))


def limit_memory(most: int, status: int) -> int | None:
    """Limit the private memory of this process to ``most`` bytes.

    An allocation beyond the limit fails: ``MemoryError`` in Python. The kernel's limit counts
    reserved address space, used or not. So it is set to what is reserved now plus what may still be
    used.

    Args:
        most: bytes.
        status: not used; see the portable function.

    Returns:
        None if the limit was set; the bytes in use if these reach the limit, which is then not set.
    """
    text = Path("/proc/self/status").read_text()
    reserved, used = (_bytes(text, name) for name in ("VmData", "RssAnon"))
    if used >= most:
        return used
    limit, (_, allowed) = reserved + most - used, resource.getrlimit(resource.RLIMIT_DATA)
    if allowed != resource.RLIM_INFINITY:
        limit = min(limit, allowed)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    return None


def _bytes(status: str, name: str) -> int:
    match = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


def process_start(pid: int) -> str | None:
    """Return when a process started, in ticks since the machine started; None if it has ended."""
    try:
        stat = Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else fields[18]


def process_space() -> str:
    """Return the id of this process's pid namespace; each container has its own."""
    return str(os.stat("/proc/self/ns/pid").st_ino)


def is_running(pid: int) -> bool:
    """Return whether there is a process with this id."""
    return Path("/proc", str(pid)).exists()


# Sockets


def control_pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected packet sockets for :func:`send_packet` and :func:`recv_packet`."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send_packet(control: socket.socket, packet: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send at least one byte, together with descriptors, as one packet.

    Raises:
        OSError: the other end is closed.
    """
    socket.send_fds(control, [packet], list(descriptors))


def recv_packet(control: socket.socket, flags: int = 0) -> tuple[bytes, list[int]]:
    """Receive the next packet and its descriptors; no bytes once the other end is closed.

    Children do not inherit the descriptors. :func:`socket.recv_fds` is not used because it ignores
    its ``flags`` in Python 3.11.

    Args:
        control: a socket of :func:`control_pair`.
        flags: such as ``MSG_PEEK``.

    Raises:
        OSError: the connection broke, or no packet arrived in the time that the socket allows.
    """
    fds = array.array("i")
    space = socket.CMSG_SPACE(_MOST_DESCRIPTORS * fds.itemsize)
    packet, ancillary, _, _ = control.recvmsg(65_536, space, flags | socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return packet, list(fds)


def end_with_socket(control: socket.socket, pid: int) -> None:
    """Have the kernel end a child, which has this socket, when the socket's other end is closed.

    The kernel sends SIGIO, which ends a process that does not handle it.
    """
    fcntl.fcntl(control, fcntl.F_SETOWN, pid)
    flags = fcntl.fcntl(control, fcntl.F_GETFL)
    fcntl.fcntl(control, fcntl.F_SETFL, flags | os.O_ASYNC)


def outlive_socket(control: socket.socket) -> None:
    """Undo :func:`end_with_socket`; to be called in the child once it watches the socket itself."""
    flags = fcntl.fcntl(control, fcntl.F_GETFL)
    fcntl.fcntl(control, fcntl.F_SETFL, flags & ~os.O_ASYNC)


def stop_listening(listener: socket.socket) -> None:
    """Have the kernel refuse connections to a listening socket, even if others have it open."""
    listener.shutdown(socket.SHUT_RDWR)


def limit_unread(client: socket.socket, seconds: float) -> None:
    """Have the kernel drop a TCP connection whose client takes no data for ``seconds``."""
    milliseconds = int(seconds * 1000)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def unread_bytes(client: socket.socket) -> int:
    """What the kernel has yet to hand over to a client: unsent, or not acknowledged."""
    size = fcntl.ioctl(client.fileno(), termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(size, sys.byteorder)


# Descriptors and files


def own_descriptors() -> Iterable[int]:
    """Return the open descriptors of this process; one may be closed by the time it is used."""
    return [int(name) for name in os.listdir("/proc/self/fd")]


def raise_descriptors() -> None:
    """Raise the limit of open descriptors to the highest that this process may set."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def memory_folder() -> Path | None:
    """Return a folder that is kept in memory."""
    return Path("/dev/shm")


def reserve(descriptor: int, size: int) -> None:
    """Make a file at least ``size`` bytes long, with space on its disk for all of them.

    Raises:
        OSError: there is no space.
    """
    os.posix_fallocate(descriptor, 0, size)


def sync_descriptor(descriptor: int) -> None:
    """Force a file to disk.

    Raises:
        OSError: the write to disk failed.
    """
    os.fsync(descriptor)


def sync_content(descriptor: int) -> None:
    """Force a file's bytes and length to disk, not its times.

    Raises:
        OSError: the write to disk failed.
    """
    os.fdatasync(descriptor)


class RunQueue:
    """How long the calling thread has been ready to run but waited for a processor.

    This separates the time a call takes from the delay on a busy machine. See
    https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat; on a kernel without it
    the wait is always 0.
    """

    def __init__(self) -> None:
        try:
            self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._file = -1

    def micros(self) -> int:
        """Return the microseconds of waiting since the thread began."""
        if self._file < 0:
            return 0
        _, waited, _ = os.pread(self._file, 128, 0).split()
        return int(waited) // 1000
