"""Portable replacements, by POSIX and Python alone, of :mod:`gnomon.compat.platform.linux`.

Each function says where it does less. On macOS it has not been run; on Linux it is tested with
``GNOMON_PORTABLE=1``.
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
"""How often a process looks whether its parent is still there."""
MEMORY_SECONDS = 0.02
"""How often a process looks how much memory it has used."""
PACKET_SECONDS = 5.0
"""How long the rest of a packet may take; it was sent in one go."""

_LENGTH = struct.Struct("<I")
_MOST_PACKET = 1 << 20
_BUFFER_BYTES = 1 << 18
"""macOS gives a socket pair 8 kB by default; a refusal may be longer."""
_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)
"""macOS: ``fsync`` leaves bytes in the cache of the drive, this does not."""
_NOT_KNOWN = frozenset({errno.ENOTSUP, errno.ENOTTY, errno.EINVAL})
"""What a disk says that does not know it, as one on the network may not."""


# Processes


def die_with_parent(parent: int) -> None:
    """Have a thread kill this process when its parent has ended.

    Less than on Linux: a process that is stopped, or held by C code that does not let other threads
    run, stays until it goes on.

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
    """Not known: this process goes on to end with its parent, and nothing takes it over.

    Raises:
        OSError: always.
    """
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def adopt_orphans() -> None:
    """Nothing: what a process leaves goes to the system's first process."""


class ChildWatch:
    """A descriptor that can be read once a child process has ended (woken by SIGCHLD).

    Any child that ends wakes it, so whoever is woken asks ``waitpid`` with ``WNOHANG``. Only in the
    main thread, one at a time.

    Args:
        pid: of a child that was not waited for.
    """

    def __init__(self, pid: int) -> None:
        self._ours, self._theirs = os.pipe()
        os.set_blocking(self._ours, False)
        os.set_blocking(self._theirs, False)
        self._handler = signal.signal(signal.SIGCHLD, _wake)
        self._wakeup = signal.set_wakeup_fd(self._theirs, warn_on_full_buffer=False)
        os.write(self._theirs, b"\0")  # It may have ended before the handler was set.

    def fileno(self) -> int:
        """The descriptor."""
        return self._ours

    def clear(self) -> None:
        """After a false alarm: wait for the next."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._ours, 65_536)

    def close(self) -> None:
        """Watch no more."""
        signal.set_wakeup_fd(self._wakeup)
        signal.signal(signal.SIGCHLD, self._handler)
        os.close(self._ours)
        os.close(self._theirs)


def _wake(*_: object) -> None:
    """Python writes to the pipe for a signal with any handler."""


def kill_first(score: int) -> None:
    """Nothing: which process is killed when memory is short is the system's choice.

    Args:
        score: not used.
    """


def limit_memory(most: int, status: int) -> int | None:
    """Have a thread end this process when it has used ``most`` bytes of memory.

    Less than on Linux: what it shares with its parent counts too, and it may have more for a
    moment, as nothing refuses it an allocation.

    Args:
        most: bytes.
        status: what it ends with.

    Returns:
        The bytes in use, if they are as many already, and nothing is limited; else None.
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
    """The most bytes this process ever had in memory: macOS counts bytes, all others kilobytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def process_start(pid: int) -> str | None:
    """When a process started, by ``ps``; None if it runs no more, ``?`` where ``ps`` cannot say."""
    if not is_running(pid):
        return None
    with contextlib.suppress(OSError):
        asked = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
        )
        state, *started = asked.stdout.split()[:6] or ["?"]
        if asked.returncode == 0 and started:
            return None if state.startswith("Z") else "".join(started).replace(":", "")
    return "?"


def process_space() -> str:
    """What process ids of this process are counted in; one machine is taken for one space."""
    return "0"


def is_running(pid: int) -> bool:
    """Whether there is a process of this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# Sockets


def control_pair() -> tuple[socket.socket, socket.socket]:
    """Two sockets for :func:`send_packet` and :func:`recv_packet`: streams of marked lengths.

    macOS has no sequenced packets.
    """
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    for one in pair:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    return pair


def send_packet(control: socket.socket, packet: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send some bytes, at least one, and descriptors with them, to be received together.

    Raises:
        OSError: nobody is there to receive them.
    """
    data = _LENGTH.pack(len(packet)) + packet
    sent = socket.send_fds(control, [data], list(descriptors))
    while sent < len(data):
        with contextlib.suppress(BlockingIOError):
            sent += control.send(data[sent:])
            continue
        _wait(control, select.POLLOUT)


def recv_packet(control: socket.socket, flags: int = 0) -> tuple[bytes, list[int]]:
    """The next packet and its descriptor, if it has one, which no child inherits; no bytes once the
    other end is closed.

    Args:
        control: a socket of :func:`control_pair`.
        flags: not used.

    Raises:
        OSError: the connection broke, nothing is there yet, or not in time, as the socket has it.
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
    """Nothing: a child that is loading when the socket closes is killed by its parent's
    :func:`gnomon.worker.spawn.reap`, after some seconds, or by :func:`die_with_parent`.

    Args:
        control: not used.
        pid: not used.
    """


def outlive_socket(control: socket.socket) -> None:
    """Nothing; see :func:`end_with_socket`.

    Args:
        control: not used.
    """


def stop_listening(listener: socket.socket) -> None:
    """Where the system allows it, refuse connections to a listening socket, whoever else has it.

    Less than on Linux: macOS does not, and clients wait until the other processes have closed it.
    """
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def limit_unread(client: socket.socket, seconds: float) -> None:
    """Nothing: the system's own limit holds for a client that takes no answer, often many minutes.

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
    """The descriptors that this process has open; one may be closed by the time it is read."""
    return [int(name) for name in os.listdir("/dev/fd")]


def raise_descriptors() -> None:
    """Let this process open as many descriptors as it is allowed to at all.

    macOS names no limit, and takes none above its own ``OPEN_MAX``, 10,240.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = [1 << 20, 1 << 16, 10_240] if most == resource.RLIM_INFINITY else [most, 10_240]
    for soft in wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))
            return


def memory_folder() -> Path | None:
    """None: there is no folder that is known to be kept in memory."""
    return None


def reserve(descriptor: int, size: int) -> None:
    """Make a file at least ``size`` bytes long, with space on its disk for all of them: zeros.

    Raises:
        OSError: there is no space.
    """
    at = os.fstat(descriptor).st_size
    while at < size:
        at += os.pwrite(descriptor, bytes(size - at), at)


def sync_descriptor(descriptor: int) -> None:
    """Force a file to disk; on macOS also out of the drive's own cache.

    Raises:
        OSError: the disk refuses.
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
    """Force a file to disk, with its times.

    Raises:
        OSError: the disk refuses.
    """
    sync_descriptor(descriptor)


class RunQueue:
    """Where nobody says how long a thread waited for a processor: never."""

    def __init__(self) -> None:
        pass

    def micros(self) -> int:
        """Microseconds since the thread began: none."""
        return 0
