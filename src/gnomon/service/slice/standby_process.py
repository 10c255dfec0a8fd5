"""The standby, which answers 503 after the death of a gateway until another has replaced it.

``python -I -S standby_process.py FD SUPERVISOR LISTENER...``: a process of a few megabytes next to
each gateway. The process that started the gateway has its listening socket too, so the kernel still
accepts connections when the gateway is killed. Without an answer their clients would wait for
seconds, in which they could have used another server.

It must start at once, so it imports only the standard library, and nothing from Gnomon.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import socket
import sys
import time

__all__ = ["GOODBYE", "main", "place"]

GOODBYE = b"\0"
"""Sent by a gateway that stops intentionally: the standby ends without answering."""

LOOK_SECONDS = 0.02
GIVE_UP_SECONDS = 120.0
"""How long to wait for the next gateway."""
CLIENT_SECONDS = 2.0
"""Time for a client to send its request and to take the answer."""
MOST_CLIENTS = 256
SURE_SECONDS = 1.0
"""How long another gateway must be visible before the standby ends: one that was killed together
with this gateway may be visible briefly."""


def place(listener: socket.socket) -> str:
    """Return the common prefix of the abstract addresses that gateways of a listening socket bind.

    Each gateway appends its process id; the address is released when its process ends.
    """
    return f"\0gnomon-gateway-{os.fstat(listener.fileno()).st_ino}-"


def main(arguments: list[str]) -> None:
    """Wait until the gateway ends, then answer clients until another gateway listens."""
    parent_socket = socket.socket(fileno=int(arguments[0]))
    supervisor = os.pidfd_open(int(arguments[1]))
    listeners = [socket.socket(fileno=int(number)) for number in arguments[2:]]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    answer = _prepared_answer(parent_socket)
    if answer is not None:
        _Standby(listeners, supervisor, answer).run()


def _prepared_answer(parent_socket: socket.socket) -> bytes | None:
    """Wait for the gateway's end, and return the answer for clients; None if it said goodbye."""
    received = b""
    with contextlib.suppress(OSError):
        while chunk := parent_socket.recv(65_536):
            received += chunk
    return None if not received or received.endswith(GOODBYE) else received


class _Standby:
    def __init__(self, listeners: list[socket.socket], supervisor: int, answer: bytes) -> None:
        self._listeners = listeners
        self._supervisor = supervisor
        self._answer = answer
        self._places = [place(listener) for listener in listeners]
        self._clients: dict[socket.socket, float] = {}
        self._ready = selectors.DefaultSelector()
        self._accepts = False

    def run(self) -> None:
        for listener in self._listeners:
            listener.setblocking(False)
        limit = absent = time.monotonic()
        while time.monotonic() < limit + GIVE_UP_SECONDS and not self._is_unsupervised():
            present = self._sees_gateway()
            if not present:
                absent = time.monotonic()
            elif time.monotonic() > absent + SURE_SECONDS and not self._clients:
                return
            self._accept_when(not present)
            self._turn()

    def _is_unsupervised(self) -> bool:
        """Return whether the process that would start another gateway has ended."""
        return bool(select.select([self._supervisor], [], [], 0)[0])

    def _accept_when(self, wanted: bool) -> None:
        if wanted == self._accepts:
            return
        self._accepts = wanted
        for listener in self._listeners:
            if wanted:
                self._ready.register(listener, selectors.EVENT_READ)
            else:
                self._ready.unregister(listener)

    def _sees_gateway(self) -> bool:
        """Return whether another gateway listens, or the last one has not ended completely."""
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as sockets:
            names = sockets.read()
        return any(f"@{name[1:]}" in names for name in self._places)

    def _turn(self) -> None:
        for key, _ in self._ready.select(LOOK_SECONDS):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if sock in self._clients:
                self._serve(sock)
            elif len(self._clients) < MOST_CLIENTS:
                self._accept(sock)
        now = time.monotonic()
        for client in [client for client, until in self._clients.items() if until < now]:
            self._drop(client)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client, _ = listener.accept()
            client.setblocking(False)
            self._clients[client] = time.monotonic() + CLIENT_SECONDS
            self._ready.register(client, selectors.EVENT_READ, [])

    def _serve(self, client: socket.socket) -> None:
        """Answer the first bytes, then continue to read: a client may write its complete request
        before it reads."""
        try:
            data = client.recv(1 << 20)
            if not data:
                self._drop(client)
                return
            answered: list[bool] = self._ready.get_key(client).data
            if not answered:
                answered.append(True)
                client.send(self._answer)
                client.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        del self._clients[client]
        self._ready.unregister(client)
        client.close()


if __name__ == "__main__":
    main(sys.argv[1:])
