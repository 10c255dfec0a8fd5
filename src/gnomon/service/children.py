"""Child processes of a slice that do not run user code: shadow feeds and the sealer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gnomon.settings import Settings
from gnomon.worker.spawn import child_environment, reap

__all__ = ["Child", "start_process", "streams"]

logger = logging.getLogger("gnomon")

PAUSES = (0.1, 0.5, 2.0, 5.0, 15.0)
"""Seconds before a child that ended is started again, growing while it keeps ending at once."""

STEADY_SECONDS = 30.0
"""After a child has run this long, the pauses start over: its end is not part of a crash loop."""


class Child:
    """Keeps ``python -m MODULE …`` running until closed, and passes on its reports.

    The child has one end of a socket, its *parent socket*: it ends when that closes, and may
    write JSON lines to it.

    Args:
        module: the module to run.
        arguments: its arguments; ``--parent-socket FD`` is added.
        settings: passed to the child in its environment.
        on_report: called with each JSON line.
        on_death: called each time the child ends unexpectedly.
    """

    def __init__(
        self,
        module: str,
        arguments: list[str],
        settings: Settings,
        on_report: Callable[[dict[str, Any]], None] = lambda report: None,
        on_death: Callable[[], None] = lambda: None,
    ) -> None:
        self._module = module
        self._arguments = [*arguments, "--parent-socket"]
        self._settings = settings
        self._on_report = on_report
        self._on_death = on_death
        self._process: subprocess.Popen[bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """The process id; None while the child is not running."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process is not None else None

    def start(self) -> None:
        """Start the child, and start it again whenever it ends."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Close the parent socket and wait for the child to end; kill it after five seconds."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._writer is not None:
            self._writer.close()
        if self._process is not None:
            await asyncio.to_thread(reap, self._process)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        early_ends = 0
        while True:
            started_at = loop.time()
            try:
                await self._live()
            except OSError as error:
                logger.error("cannot start %s: %s", self._module, error)
            early_ends = 0 if loop.time() - started_at > STEADY_SECONDS else early_ends + 1
            self.restarts += 1
            self._on_death()
            await asyncio.sleep(PAUSES[min(early_ends, len(PAUSES) - 1)])

    async def _live(self) -> None:
        """Start the process and read its reports until its parent socket closes."""
        self._process, parent_socket = start_process(self._module, self._arguments, self._settings)
        reader, self._writer = await streams(parent_socket)
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                self._on_report(msgspec.json.decode(line))
        self._writer.close()
        await asyncio.to_thread(reap, self._process)


def start_process(
    module: str, arguments: Sequence[str], settings: Settings
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start ``python -m MODULE ARGUMENTS... FD``, where FD is one end of a new socket.

    Returns:
        The process, and the other end of the socket.

    Raises:
        OSError: the process cannot be started; the socket is closed.
    """
    parent_socket, child_socket = socket.socketpair()
    with child_socket, contextlib.ExitStack() as failing:
        failing.enter_context(parent_socket)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments, str(child_socket.fileno())],
            pass_fds=[child_socket.fileno()],
            stdin=subprocess.DEVNULL,
            env=child_environment(settings),
        )
        failing.pop_all()
    return process, parent_socket


async def streams(sock: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open the streams of a socket; if this is cancelled, close it, so that the process ends."""
    try:
        return await asyncio.open_connection(sock=sock)
    except BaseException:
        sock.close()
        raise
