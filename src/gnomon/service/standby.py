"""The gateway's side of its standby, which answers clients when the gateway has been killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack

from gnomon.errors import NotReady
from gnomon.service import standby_process
from gnomon.service.http import CLOSE, error_response, response
from gnomon.service.stopping import listening
from gnomon.worker.spawn import reap

__all__ = ["Standby"]


class Standby:
    """Keeps a :mod:`gnomon.service.standby_process` beside this gateway until it is closed.

    To be made when the gateway is about to accept connections. Linux only: in the portable way
    clients that connect meanwhile wait for the next gateway.
    """

    def __init__(self) -> None:
        with ExitStack() as ours, ExitStack() as lent:
            listeners = [lent.enter_context(listener) for _, listener in listening()]
            self._present = [ours.enter_context(_bind(listener)) for listener in listeners]
            self._lifeline, theirs = map(ours.enter_context, socket.socketpair())
            self._lifeline.sendall(_answer())
            passed = [theirs.fileno(), *(listener.fileno() for listener in listeners)]
            self._process = subprocess.Popen(
                [
                    sys.executable, "-I", "-S", standby_process.__file__, str(theirs.fileno()),
                    str(os.getppid()), *(str(number) for number in passed[1:]),
                ],
                pass_fds=passed,
                stdin=subprocess.DEVNULL,
                env={k: v for k, v in os.environ.items() if k == "LD_LIBRARY_PATH"},
            )  # fmt: skip
            ours.pop_all()
            theirs.close()

    def close(self) -> None:
        """End the standby without answering: the gateway stops as it was told to."""
        self._lifeline.sendall(standby_process.GOODBYE)
        self._lifeline.close()
        reap(self._process)
        for bound in self._present:
            bound.close()


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
            hint="retry after the pause given in Retry-After",
        )
    )
    return response(status, body, (*headers, CLOSE))
