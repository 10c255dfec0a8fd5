"""Portable replacements of :mod:`gnomon.compat.platform.linux`, with POSIX and Python alone.

Each docstring says where a function does less. The module has not been run on macOS; on Linux it is
tested with ``GNOMON_PORTABLE=1``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
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

PARENT_SECONDS = 0.2
"""How often a process checks that its parent still runs."""
MEMORY_SECONDS = 0.02
"""How often a process checks how much memory it has used."""
PACKET_SECONDS = 5.0
"""How long the rest of a packet may take; it was sent at once."""

_LENGTH = struct.Struct("<I")
_MOST_PACKET = 1 << 20
_BUFFER_BYTES = 1 << 18
"""macOS gives a socket pair 8 kB by default; a refusal may be longer."""
_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)
"""On macOS ``fsync`` leaves bytes in the drive's cache; this call does not."""
_NOT_KNOWN = frozenset({errno.ENOTSUP, errno.ENOTTY, errno.EINVAL})
"""The errors of a disk without support for that call, such as some network disks."""


# Processes


def die_with_parent(parent: int) -> None:
    """Have a thread kill this process when its parent has ended.

    Less than on Linux: a process that is stopped, or blocked in C code that does not let other
    threads run, ends only once it continues.

    Args:
        parent: the process id of the parent; if it has ended already, so does this process.
    """
    if os.getppid() != parent:
        os._exit(0)
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def die_with_tether(tether: socket.socket) -> None:
    """Raise an error, as this is not supported: this process still ends with its parent.

    Raises:
        OSError: always.
    """
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def adopt_orphans() -> None:
    """Do nothing: orphaned processes become children of the system's first process."""


class ChildWatch:
    """A descriptor that can be read once a child process has ended (woken by SIGCHLD).

    Any child that ends makes it readable, so callers must use ``waitpid`` with ``WNOHANG``. Only
    the main thread can use it, and only one at a time.

    Args:
        pid: the process id of a child that was not waited for.
    """

    def __init__(self, pid: int) -> None:
        self._ours, self._theirs = os.pipe()
        os.set_blocking(self._ours, False)
        os.set_blocking(self._theirs, False)
        self._handler = signal.signal(signal.SIGCHLD, _wake)
        self._wakeup = signal.set_wakeup_fd(self._theirs, warn_on_full_buffer=False)
        os.write(self._theirs, b"\0")  # The child may have ended before the handler was set.

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._ours

    def clear(self) -> None:
        """Reset the watch after a false alarm."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._ours, 65_536)

    def close(self) -> None:
        """Stop watching."""
        signal.set_wakeup_fd(self._wakeup)
        signal.signal(signal.SIGCHLD, self._handler)
        os.close(self._ours)
        os.close(self._theirs)


def _wake(*_: object) -> None:
    """Do nothing: Python writes to the pipe for every signal that has a handler."""


def kill_first(score: int) -> None:
    """Do nothing: the system chooses which process to kill when memory is short.

    Args:
        score: not used.
    """


def limit_memory(most: int, status: int) -> int | None:
    """Have a thread end this process when it has used ``most`` bytes of memory.

    Less than on Linux: memory shared with the parent counts too, and the process may exceed the
    limit briefly, as no allocation fails.

    Args:
        most: bytes.
        status: the exit status of the process at the limit.

    Returns:
        None if the limit was set; the bytes in use if these reach the limit, which is then not set.
    """
    used = _most_used()
    if used >= most:
        return used
    threading.Thread(target=_watch_memory, args=(most, status), daemon=True).start()
    return None


def _watch_memory(most: int, status: int) -> None:
    while _most_used() < most:
        time.sleep(MEMORY_SECONDS)
    os._exit(status)


def _most_used() -> int:
    """Return the peak memory of this process in bytes; the system gives kilobytes, except macOS."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def process_start(pid: int) -> str | None:
    """Return when a process started, from ``ps``: None if it has ended, ``?`` if ``ps`` fails."""
    if not is_running(pid):
        return None
    with contextlib.suppress(OSError):
        result = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
        )
        state, *started = result.stdout.split()[:6] or ["?"]
        if result.returncode == 0 and started:
            return None if state.startswith("Z") else "".join(started).replace(":", "")
    return "?"


def process_space() -> str:
    """Return the id of this process's pid namespace; a machine is assumed to have only one."""
    return "0"


def is_running(pid: int) -> bool:
    """Return whether there is a process with this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# Sockets


def control_pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets for :func:`send_packet` and :func:`recv_packet`.

    They are streams in which each packet begins with its length: macOS has no sequenced packets.
    """
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    for end in pair:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    return pair


def send_packet(control: socket.socket, packet: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send at least one byte, together with descriptors, as one packet.

    Raises:
        OSError: the other end is closed.
    """
    data = _LENGTH.pack(len(packet)) + packet
    sent = socket.send_fds(control, [data], list(descriptors))
    while sent < len(data):
        with contextlib.suppress(BlockingIOError):
            sent += control.send(data[sent:])
            continue
        _wait(control, select.POLLOUT)


def recv_packet(control: socket.socket, flags: int = 0) -> tuple[bytes, list[int]]:
    """Receive the next packet and its descriptor, if any; no bytes once the other end is closed.

    Children do not inherit the descriptor.

    Args:
        control: a socket of :func:`control_pair`.
        flags: not used.

    Raises:
        OSError: the connection broke, or no packet arrived in the time that the socket allows.
    """
    head, descriptors, _, _ = socket.recv_fds(control, _LENGTH.size, 1)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    if not head:
        return b"", descriptors
    head += _rest(control, _LENGTH.size - len(head))
    (length,) = _LENGTH.unpack(head)
    if length > _MOST_PACKET:
        raise ConnectionError(f"a packet of {length:,} bytes")
    return _rest(control, length), descriptors


def _rest(control: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        try:
            part = control.recv(length - len(data))
        except BlockingIOError:
            _wait(control, select.POLLIN)
            continue
        if not part:
            raise ConnectionError("the other end closed within a packet")
        data += part
    return data


def _wait(control: socket.socket, event: int) -> None:
    ready = select.poll()
    ready.register(control, event)
    if not ready.poll(PACKET_SECONDS * 1000):
        raise ConnectionError(f"the rest of a packet did not come within {PACKET_SECONDS:g} s")


def end_with_socket(control: socket.socket, pid: int) -> None:
    """Do nothing: :func:`gnomon.worker.spawn.reap` kills a child that still loads, after seconds.

    If the parent has ended, :func:`die_with_parent` kills it.

    Args:
        control: not used.
        pid: not used.
    """


def outlive_socket(control: socket.socket) -> None:
    """Do nothing; see :func:`end_with_socket`.

    Args:
        control: not used.
    """


def stop_listening(listener: socket.socket) -> None:
    """Refuse connections to a listening socket, even if others have it open, if the system can.

    Less than on Linux: macOS cannot; clients wait until the other processes have closed the socket.
    """
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def limit_unread(client: socket.socket, seconds: float) -> None:
    """Do nothing: the system's limit applies to a client that takes no data, often many minutes.

    Args:
        client: not used.
        seconds: not used.
    """


def unread_bytes(client: socket.socket) -> int:
    """None: what the system has yet to hand over to a client is not known here.

    Args:
        client: not used.
    """
    return 0


# Descriptors and files


def own_descriptors() -> Iterable[int]:
    """Return the open descriptors of this process; one may be closed by the time it is used."""
    return [int(name) for name in os.listdir("/dev/fd")]


def raise_descriptors() -> None:
    """Raise the limit of open descriptors to the highest that this process may set.

    macOS reports no limit, but rejects values above its ``OPEN_MAX``, 10,240.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    candidates = [1 << 20, 1 << 16, 10_240] if most == resource.RLIM_INFINITY else [most, 10_240]
    for soft in candidates:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))
            return


def memory_folder() -> Path | None:
    """Return None: no folder is known to be kept in memory."""
    return None


def reserve(descriptor: int, size: int) -> None:
    """Make a file at least ``size`` bytes long by appending zeros, so that its space is reserved.

    Raises:
        OSError: there is no space.
    """
    at = os.fstat(descriptor).st_size
    while at < size:
        at += os.pwrite(descriptor, bytes(size - at), at)


def sync_descriptor(descriptor: int) -> None:
    """Force a file to disk; on macOS also out of the drive's cache.

    Raises:
        OSError: the write to disk failed.
    """
    if _FULL_SYNC is not None:
        try:
            fcntl.fcntl(descriptor, _FULL_SYNC)
            return
        except OSError as error:
            if error.errno not in _NOT_KNOWN:
                raise
    os.fsync(descriptor)


def sync_content(descriptor: int) -> None:
    """Force a file to disk, including its times.

    Raises:
        OSError: the write to disk failed.
    """
    sync_descriptor(descriptor)


class RunQueue:
    """A replacement where the system does not report how long a thread waited: always 0."""

    def __init__(self) -> None:
        pass

    def micros(self) -> int:
        """Return 0."""
        return 0
