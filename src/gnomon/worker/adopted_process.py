"""Lets a worker that has loaded its artifact outlive its gateway and serve the next one.

A holder normally ends with the process that started it. A holder told to *outlive* that process
ends when no process has the other end of a socket, its *tether*, open any more: the kernel then
kills it, in whatever state it is. A process that has the tether and the control socket can make
the holder fork a new scorer.

Linux only: the signal is chosen by ``F_SETSIG``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import select
import signal
import socket
import subprocess
from pathlib import Path
from typing import NamedTuple

from gnomon.worker import messages
from gnomon.worker.spawn import Spawned

__all__ = ["AdoptedProcess", "HolderHandle", "TakenOverHolder", "outlive", "take_over"]

TAKEOVER_SECONDS = 2.0
"""Forking a scorer takes milliseconds. A holder that takes this long counts as hung: kill it."""


class HolderHandle(NamedTuple):
    """The descriptors needed to use a holder and to end it; ``process`` is a pidfd."""

    control: socket.socket
    tether: socket.socket
    process: int

    def close(self) -> None:
        """Close these descriptors. The holder keeps running if they are open elsewhere."""
        self.control.close()
        self.tether.close()
        os.close(self.process)

    def end(self) -> None:
        """Kill the holder, even if another process has its tether."""
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self.process, signal.SIGKILL)
        self.close()


class TakenOverHolder(NamedTuple):
    """A holder that was taken over, with the process id and data socket of its new scorer."""

    spawned: Spawned
    pid: int
    data: socket.socket


class AdoptedProcess:
    """A process that is not a child of this one, as a pidfd, with the methods of ``Popen`` needed.

    Only its parent can read its exit status; :meth:`wait` reports it as killed.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle

    @property
    def pid(self) -> int:
        """The process id; -1 once the process has ended."""
        status = Path(f"/proc/self/fdinfo/{self._handle}").read_text()
        return int(status.partition("Pid:")[2].split()[0])

    def kill(self) -> None:
        """Send SIGKILL, unless the process has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the process has ended.

        Raises:
            subprocess.TimeoutExpired: it still runs after ``timeout`` seconds.
        """
        poll = select.poll()  # not select(), which takes descriptors below 1,024 only
        poll.register(self._handle, select.POLLIN)
        if not poll.poll(None if timeout is None else timeout * 1000):
            raise subprocess.TimeoutExpired("a worker", timeout or 0.0)
        return -signal.SIGKILL


def outlive(spawned: Spawned) -> HolderHandle | None:
    """Make a serving holder live as long as its tether instead of as long as this process.

    Returns:
        None if the request cannot be sent: the holder has ended, or is stopped.
    """
    tether, holder_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with holder_end:
        process = os.pidfd_open(spawned.process.pid)
        try:
            socket.send_fds(spawned.control, [messages.OUTLIVE], [holder_end.fileno()])
        except OSError:
            tether.close()
            os.close(process)
            return None
    return HolderHandle(spawned.control, tether, process)


async def take_over(handle: HolderHandle) -> TakenOverHolder | None:
    """Make a holder that outlived its gateway serve this one.

    Its messages to the earlier gateway are discarded, and the scorer forked for that gateway is
    replaced.

    Returns:
        None if the holder has ended, or does not answer; it is then killed.
    """
    try:
        async with asyncio.timeout(TAKEOVER_SECONDS):
            return await _request_takeover(handle)
    except (OSError, TimeoutError):
        handle.end()
        return None
    except BaseException:
        handle.end()
        raise


async def _request_takeover(handle: HolderHandle) -> TakenOverHolder:
    nonce = secrets.token_hex(8)
    handle.control.setblocking(False)
    handle.control.send(messages.TAKE_OVER + nonce.encode())
    while True:
        await _readable(handle.control)
        event, data = messages.read_event(handle.control)
        if event is None:
            raise ConnectionError("the holder has ended")
        if isinstance(event, messages.Ready) and event.nonce == nonce and data is not None:
            spawned = Spawned(AdoptedProcess(handle.process), handle.control)
            return TakenOverHolder(spawned, event.pid, data)
        if data is not None:
            data.close()


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sock.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sock.fileno())
