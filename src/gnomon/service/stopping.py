"""The start of a gateway's shutdown: when it begins, and how new connections are refused.

uvicorn stops accepting at once. But the process that started the gateway has the listening socket
too. So the kernel would accept connections until the gateway has ended: their clients would wait
and in the end be disconnected. Clients that are refused can use another server.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import stat
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType

from gnomon.compat.platform import die_with_parent, own_descriptors, stop_listening

__all__ = [
    "COMMAND",
    "is_server",
    "listening",
    "refuse_connections",
    "stop_without_server",
    "when_told_to_stop",
]

POLL_SECONDS = 0.05
SERVER = "_GNOMON_SERVER"
"""The variable with the process id of the process that starts gateways."""
COMMAND = "_GNOMON_COMMAND"
"""The variable with the process id of the command that started that process, and ends it."""
LOOK_SECONDS = 0.5

logger = logging.getLogger("gnomon")


def is_server() -> None:
    """Mark this process as the one that starts gateways, before it starts any.

    If a command started this process, it ends with that command.
    """
    os.environ[SERVER] = str(os.getpid())
    command = os.environ.pop(COMMAND, None)
    if command is not None:
        die_with_parent(int(command))


def stop_without_server() -> None:
    """Shut down, as on SIGTERM, once the process that starts gateways was killed.

    Otherwise this gateway would not be restarted, and no other server could use its port. To be
    called from the event loop.
    """
    server = os.environ.get(SERVER)
    if server is None:
        return
    if os.getppid() != int(server):
        logger.error("the process that started this gateway has ended: stopping")
        os.kill(os.getpid(), signal.SIGTERM)
        return
    asyncio.get_running_loop().call_later(LOOK_SECONDS, stop_without_server)


def when_told_to_stop(callback: Callable[[], None]) -> None:
    """Call ``callback`` on the event loop on SIGTERM or SIGINT, after the existing signal handler.

    To be called in the main thread, from the event loop.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def stop(number: int, frame: FrameType | None, before: object = before) -> None:
            if callable(before):
                before(number, frame)
            loop.call_soon_threadsafe(callback)

        signal.signal(number, stop)


def refuse_connections() -> Callable[[], None]:
    """Return a function that makes the sockets on which this process listens refuse connections.

    Only for a gateway that does not share them with another, which could not listen any more
    either. A gateway that is started again listens again.
    """
    loop, sockets = asyncio.get_running_loop(), listening()
    return lambda: _refuse(loop, sockets)


def _refuse(loop: asyncio.AbstractEventLoop, sockets: list[tuple[int, socket.socket]]) -> None:
    """Refuse connections once uvicorn has closed its descriptors; before, it would be an error."""
    if any(_is_open(number, listener) for number, listener in sockets):
        loop.call_later(POLL_SECONDS, _refuse, loop, sockets)
        return
    for _, listener in sockets:
        stop_listening(listener)


def _is_open(number: int, listener: socket.socket) -> bool:
    try:
        return os.path.sameopenfile(number, listener.fileno())
    except OSError:
        return False


def listening() -> list[tuple[int, socket.socket]]:
    """Return this process's listening sockets: the descriptor of each, and a duplicate."""
    listeners = []
    with ExitStack() as failing:
        for number in [number for number in own_descriptors() if _is_socket(number)]:
            listener = failing.enter_context(socket.socket(fileno=os.dup(number)))
            if listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                listeners.append((number, listener))
            else:
                listener.close()
        failing.pop_all()
    return listeners


def _is_socket(number: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:  # the descriptor of the listing itself
        return False
