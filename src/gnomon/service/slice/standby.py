"""The gateway's side of its standby, which answers clients when the gateway has been killed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

from gnomon.errors import NotReady
from gnomon.service.http.asgi import CLOSE, error_response, response
from gnomon.service.slice import standby_process
from gnomon.service.stopping import listening
from gnomon.worker.spawn import reap

__all__ = ["Standby"]

logger = logging.getLogger("gnomon")


RESTART_SECONDS = 1.0
"""Pause before a standby that ended is started again."""


class Standby:
    """Keeps a :mod:`~gnomon.service.slice.standby_process` running next to this gateway.

    It must be made on the event loop, just before the gateway accepts connections. Linux only: in
    the portable implementation, clients that connect in between wait for the next gateway. It runs
    until this is closed.
    """

    def __init__(self) -> None:
        self._restarting: asyncio.Task[None] | None = None
        with ExitStack() as present, _listeners() as listeners:
            for listener in listeners:
                present.enter_context(_bind(listener))
            self._start(listeners)
            self._present = present.pop_all()

    async def close(self) -> None:
        """End the standby without answers, because the gateway stops intentionally."""
        if self._restarting is not None:
            self._restarting.cancel()
        if self._child_socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._child_socket)
            with contextlib.suppress(OSError):  # The standby has ended.
                self._child_socket.sendall(standby_process.GOODBYE)
            self._child_socket.close()
        await asyncio.to_thread(reap, self._process)
        self._present.close()

    def _start(self, listeners: list[socket.socket]) -> None:
        numbers = [listener.fileno() for listener in listeners]
        with ExitStack() as stack:
            own_end, child_end = map(stack.enter_context, socket.socketpair())
            own_end.sendall(_answer())
            self._process = subprocess.Popen(
                [
                    sys.executable, "-I", "-S", standby_process.__file__, str(child_end.fileno()),
                    str(os.getppid()), *map(str, numbers),
                ],
                pass_fds=[child_end.fileno(), *numbers],
                stdin=subprocess.DEVNULL,
                env={k: v for k, v in os.environ.items() if k == "LD_LIBRARY_PATH"},
            )  # fmt: skip
            stack.pop_all()
            child_end.close()
        self._child_socket = own_end
        asyncio.get_running_loop().add_reader(own_end, self._ended)

    def _ended(self) -> None:
        """Restart the standby: it sends nothing, so its socket is readable only at its end."""
        asyncio.get_running_loop().remove_reader(self._child_socket)
        self._restarting = asyncio.create_task(self._restart())

    async def _restart(self) -> None:
        self._child_socket.close()
        code = await asyncio.to_thread(reap, self._process)
        logger.warning("the standby ended with %d; another is started", code)
        while True:
            await asyncio.sleep(RESTART_SECONDS)
            with contextlib.suppress(OSError), _listeners() as listeners:
                if listeners:  # Otherwise the gateway is stopping.
                    self._start(listeners)
                return


@contextlib.contextmanager
def _listeners() -> Iterator[list[socket.socket]]:
    """Yield each socket on which this process listens once, and close the copies afterwards.

    A server that stops refuses connections only once all its descriptors of them are closed.
    """
    with ExitStack() as stack:
        listeners = [stack.enter_context(listener) for _, listener in listening()]
        yield list(
            {os.fstat(listener.fileno()).st_ino: listener for listener in listeners}.values()
        )


def _bind(listener: socket.socket) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        bound.bind(f"{standby_process.place(listener)}{os.getpid()}")
    except BaseException:
        bound.close()
        raise
    return bound


def _answer() -> bytes:
    status, headers, body = error_response(
        NotReady(
            "the gateway has ended; another is being started",
            hint="retry after the time given in Retry-After",
        )
    )
    return response(status, body, (*headers, CLOSE))
