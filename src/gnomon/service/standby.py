"""The gateway's side of its standby, which answers clients when the gateway has been killed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
import sys

from gnomon.errors import NotReady
from gnomon.service import standby_process
from gnomon.service.http import CLOSE, error_response, response
from gnomon.service.stopping import listening
from gnomon.worker.spawn import reap

__all__ = ["Standby"]

logger = logging.getLogger("gnomon")


RESTART_SECONDS = 1.0
"""Pause before a standby that ended is started again."""


class Standby:
    """Keeps a :mod:`gnomon.service.standby_process` beside this gateway until it is closed.

    To be made on the event loop, when the gateway is about to accept connections.
    """

    def __init__(self) -> None:
        self._listeners = [listener for _, listener in listening()]
        self._present = [self._bind(listener) for listener in self._listeners]
        self._restarting: asyncio.Task[None] | None = None
        self._start()

    async def close(self) -> None:
        """End the standby without answering: the gateway stops as it was told to."""
        if self._restarting is not None:
            self._restarting.cancel()
        asyncio.get_running_loop().remove_reader(self._lifeline)
        with contextlib.suppress(OSError):  # It has ended.
            self._lifeline.sendall(standby_process.GOODBYE)
        self._lifeline.close()
        await asyncio.to_thread(reap, self._process)
        for held in (*self._present, *self._listeners):
            held.close()

    def _start(self) -> None:
        self._lifeline, theirs = socket.socketpair()
        listeners = [listener.fileno() for listener in self._listeners]
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-I", "-S", standby_process.__file__, str(theirs.fileno()),
                    str(os.getppid()), *map(str, listeners),
                ],
                pass_fds=[theirs.fileno(), *listeners],
                stdin=subprocess.DEVNULL,
                env={k: v for k, v in os.environ.items() if k == "LD_LIBRARY_PATH"},
            )  # fmt: skip
        status, headers, body = error_response(
            NotReady(
                "the gateway has ended; another is being started",
                hint="retry after the pause given in Retry-After",
            )
        )
        with contextlib.suppress(OSError):  # It has ended; the reader is told.
            self._lifeline.sendall(response(status, body, (*headers, CLOSE)))
        asyncio.get_running_loop().add_reader(self._lifeline, self._ended)

    def _ended(self) -> None:
        """It says nothing, so the end of its lifeline is its own."""
        asyncio.get_running_loop().remove_reader(self._lifeline)
        self._restarting = asyncio.create_task(self._restart())

    async def _restart(self) -> None:
        code = await asyncio.to_thread(reap, self._process)
        logger.warning("the standby ended with %d; another is started", code)
        await asyncio.sleep(RESTART_SECONDS)
        self._lifeline.close()
        self._start()

    @staticmethod
    def _bind(listener: socket.socket) -> socket.socket:
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        bound.bind(f"{standby_process.place(listener)}{os.getpid()}")
        return bound
