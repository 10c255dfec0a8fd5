"""Many long bodies at once: a gateway holds a bounded number, and short requests are not
affected.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from gnomon.contract.body_size import SOON_BYTES
from gnomon.service.http.body_budget import MOST_BODIES
from gnomon.settings import Settings
from tests.load import until
from tests.service.echo import Served

BYTES = 400_000
SECONDS = 60.0


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A front door on a real server that answers a body with itself."""
    made = Served(Settings(client_seconds=SECONDS, body_bytes=BYTES, hosts="*"))
    try:
        yield made
    finally:
        made.close()


def head(length: int) -> bytes:
    """The head of a prediction request."""
    return b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length


def unfinished(served: Served) -> socket.socket:
    """A connection on which all of a long body but its last byte was sent."""
    made = served.connect()
    made.sendall(head(BYTES) + b"a" * (BYTES - 1))
    return made


def status(connection: socket.socket) -> int:
    """The status of the next answer."""
    return int(connection.recv(65_536).split()[1])


def is_free(served: Served) -> bool:
    """Whether no byte of a long body is held."""
    return served.echo.held.bytes == 0


def test_long_bodies_have_a_bound_together(served: Served) -> None:
    """At the limit, the next long body is refused with Retry-After before it is read; short
    requests and the held ones are answered.
    """
    counted = BYTES - 1 - SOON_BYTES
    kept = [unfinished(served) for _ in range(MOST_BODIES * BYTES // counted)]
    until(lambda: served.echo.held.bytes == len(kept) * counted, "they are held")
    refused = [unfinished(served) for _ in range(12)]
    for connection in refused:
        answer = connection.recv(65_536)
        assert b" 503 " in answer[:20]
        assert b"retry-after: 1" in answer
    assert served.echo.held.bytes == len(kept) * counted
    with served.connect() as short:
        short.sendall(head(5) + b"short")
        assert status(short) == 200
    for connection in kept:
        connection.sendall(b"a")
        assert status(connection) == 200
    for connection in [*kept, *refused]:
        connection.close()
    until(lambda: is_free(served), "nothing is held")


def test_a_client_that_leaves_takes_its_body_along(served: Served) -> None:
    """Bodies that are half sent when their client disconnects are released."""
    for _ in range(3):
        left = [unfinished(served) for _ in range(MOST_BODIES)]
        until(lambda: not is_free(served), "they are held")
        for connection in left:
            connection.close()
        until(lambda: is_free(served), "nothing is held")
    with served.connect() as whole:
        whole.sendall(head(BYTES) + b"a" * BYTES)
        assert status(whole) == 200
    until(lambda: is_free(served), "nothing is held")


def test_a_long_body_of_the_smallest_chunks(served: Served) -> None:
    """A body in chunks of one byte is read correctly, and other requests are answered meanwhile."""
    size = 100_000
    with served.connect() as chunked, served.connect() as other:
        chunked.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            chunked.sendall(b"1\r\na\r\n" * (size // 10))
            other.sendall(head(5) + b"short")
            assert status(other) == 200
        chunked.sendall(b"0\r\n\r\n")
        assert status(chunked) == 200
    assert served.echo.bodies[-1] == b"a" * size
