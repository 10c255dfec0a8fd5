"""Clients that misbehave, over plain sockets."""

from __future__ import annotations

import contextlib
import functools
import json
import socket
from typing import Any

import httpx

from gnomon.testing import Server

post = functools.partial(httpx.post, timeout=30, verify=False)
"""``httpx.post`` to a server without TLS: to read the certificates that it would trust takes as
long as twenty answers."""

GOOD = json.dumps({"x": 4.0, "id": "a"}).encode()


def connect(server: Server, receive_buffer: int | None = None) -> socket.socket:
    """A connection to a server; with a small receive buffer the server soon cannot write more."""
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    host, _, port = server.url.removeprefix("http://").partition(":")
    sock.settimeout(30)
    try:
        sock.connect((host, int(port)))
    except OSError:
        sock.close()
        raise
    return sock


def request(body: bytes = GOOD, length: int | None = None) -> bytes:
    """A prediction request, which may announce more than it has."""
    size = len(body) if length is None else length
    return b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (
        size,
        body,
    )


def read_to_end(connection: socket.socket) -> bytes:
    """Everything that comes until the server closes; a reset is as good as an end."""
    received = b""
    with connection, contextlib.suppress(ConnectionError):
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def error_of(answer: bytes) -> tuple[int, dict[str, Any]]:
    """The status and the error of one whole answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    error: dict[str, Any] = json.loads(body)["error"]
    return int(head.split()[1]), error


def ask(server: Server) -> float:
    """The seconds a well-behaved client waits for its answer."""
    answer = post(f"{server.url}/predict", content=GOOD)
    assert answer.json()["prediction"] == 8.0
    return answer.elapsed.total_seconds()
