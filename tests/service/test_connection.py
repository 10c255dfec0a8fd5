"""Plain prediction requests come straight off their connection, and nobody can tell."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import uvicorn
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from uvicorn.protocols.http import auto

from gnomon.errors import GnomonError
from gnomon.service.connection import HEADS, read_head, take_connections
from gnomon.service.front_door import FrontDoor
from gnomon.service.http import Receive, Scope, Send, respond
from gnomon.service.runtime import Runtime
from gnomon.service.ticket import Answer
from gnomon.settings import Settings


class Echo:
    """A slice that answers a body with itself, and tells which way it came."""

    def __init__(self) -> None:
        self.settings = Settings(client_seconds=5.0, hosts="x")
        self.usual = False
        self.busy = threading.Event()

    def submit(self, body: bytes, client_id: str | None, reply: Callable[[Answer], None]) -> None:
        if body == b"bug":
            raise ZeroDivisionError("a bug")
        seen = {"body": body.decode(), "id": client_id, "usual": self.usual}
        delay = 0.0
        if body == b"slow":
            delay = 0.5
            self.busy.set()
        answer = Answer(200, json.dumps(seen).encode())
        asyncio.get_running_loop().call_later(delay, reply, answer)

    async def predict(self, body: bytes, client_id: str | None) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.usual = True
        try:
            self.submit(body, client_id, answer.set_result)
        finally:
            self.usual = False
        return await answer

    async def reject(self, error: GnomonError, client_id: str | None) -> Answer:
        return Answer.of(error)


async def _inner(scope: Scope, receive: Receive, send: Send) -> None:
    """BentoML's place."""
    await respond(send, 200, json.dumps({"inner": scope["path"]}).encode())


class Served:
    """A front door on a real server."""

    def __init__(self) -> None:
        self.echo = Echo()
        self.door = FrontDoor(_inner, lambda: cast(Runtime, self.echo))
        take_connections()
        config = uvicorn.Config(self.door, lifespan="off", log_config=None, server_header=False)
        self.server = uvicorn.Server(config)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],))

    def connect(self) -> socket.socket:
        made = socket.create_connection(self.listener.getsockname(), timeout=20)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    before = auto.AutoHTTPProtocol
    made = Served()
    made.thread.start()
    try:
        yield made
    finally:
        made.server.should_exit = True
        made.thread.join(20)
        auto.AutoHTTPProtocol = before


def plain(body: bytes, headers: bytes = b"") -> bytes:
    return b"POST /predict HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s" % (
        headers,
        len(body),
        body,
    )


def chunked(body: bytes) -> bytes:
    return (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    )


def read(connection: socket.socket, count: int) -> list[tuple[int, dict[str, Any]]]:
    """The status and body of so many answers."""
    stream = connection.makefile("rb")
    answers = []
    for _ in range(count):
        status = int(stream.readline().split()[1])
        length = 0
        while (line := stream.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        answers.append((status, json.loads(stream.read(length))))
    return answers


def test_plain_requests_go_straight(served: Served) -> None:
    """One after the other on one connection, with and without the client's own id."""
    with served.connect() as connection:
        for body, headers, given in (
            (b"a", b"", None),
            (b"", b"", None),
            (b"b", b"X-Request-ID: me\r\n", "me"),
        ):
            connection.sendall(plain(body, headers))
            assert read(connection, 1) == [
                (200, {"body": body.decode(), "id": given, "usual": False})
            ]


@pytest.mark.parametrize(
    "request_",
    [
        chunked(b"a"),
        plain(b"a", b"Connection: close\r\n"),
        plain(b"a", b"X: %s\r\n" % (b"x" * 20_000)),
        plain(b"a").replace(b"/predict", b"/predict?why=not"),
        plain(b"a").replace(b"HTTP/1.1", b"HTTP/1.0"),
        plain(b"a" * 100_000),
    ],
    ids=["chunked", "close", "long head", "query", "old", "long body"],
)
def test_what_is_not_plain_takes_the_usual_way(served: Served, request_: bytes) -> None:
    """And is answered the same."""
    with served.connect() as connection:
        connection.sendall(request_)
        [(status, answer)] = read(connection, 1)
    assert (status, answer["usual"], answer["body"][:1]) == (200, True, "a")


REQUESTS: list[tuple[bytes, Any]] = [
    (plain(b"one"), "one"),
    (plain(b"two", b"X-Request-ID: me\r\n"), "two"),
    (chunked(b"three"), "three"),
    (b"GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n", "/elsewhere"),
    (plain(b"five" * 9), "five" * 9),
]


@hypothesis_settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_requests_cut_anywhere_are_answered_in_order(
    served: Served, data: st.DataObject
) -> None:
    """However many come at once and wherever the network cuts them."""
    chosen = data.draw(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=6))
    stream = b"".join(request for request, _ in chosen)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=5)))
    with served.connect() as connection:
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            connection.sendall(stream[start:end])
        answers = read(connection, len(chosen))
    told = [answer.get("body", answer.get("inner")) for _, answer in answers]
    assert told == [expected for _, expected in chosen]
    assert {status for status, _ in answers} == {200}


def test_the_rest_of_a_request_may_come_late(served: Served) -> None:
    """Its beginning is not lost, nor what follows it."""
    request = plain(b"late")
    for cut in (3, 30, len(request) - 2):
        with served.connect() as connection:
            connection.sendall(request[:cut])
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            connection.settimeout(20)
            connection.sendall(request[cut:] + plain(b"next"))
            assert [answer["body"] for _, answer in read(connection, 2)] == ["late", "next"]


def test_a_broken_request_is_told_so(served: Served) -> None:
    """Two lengths, or a header that is none, are a 400 and the end of the connection."""
    for headers in (b"Content-Length: 3\r\n", b"no header\r\n"):
        with served.connect() as connection:
            connection.sendall(plain(b"a", headers))
            assert connection.recv(65_536).startswith(b"HTTP/1.1 400 ")


def test_a_bug_is_a_500_and_the_connection_goes_on(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """In the one error shape, with the traceback in the log."""
    with served.connect() as connection:
        connection.sendall(plain(b"bug"))
        [(status, answer)] = read(connection, 1)
        assert (status, answer["error"]["message"]) == (500, "ZeroDivisionError: a bug")
        connection.sendall(plain(b"fine"))
        assert read(connection, 1)[0][1]["body"] == "fine"
    assert "POST /predict failed" in caplog.text


def test_a_client_that_leaves_takes_nobody_along(served: Served) -> None:
    """Its answer is dropped."""
    with served.connect() as connection:
        connection.sendall(plain(b"slow"))
    with served.connect() as connection:
        connection.sendall(plain(b"a"))
        assert read(connection, 1)[0][0] == 200


def test_stopping_answers_what_is_under_way() -> None:
    """With word that the connection closes."""
    before = auto.AutoHTTPProtocol
    served = Served()
    served.thread.start()
    try:
        with served.connect() as connection:
            connection.sendall(plain(b"slow"))
            assert served.echo.busy.wait(20)
            served.server.should_exit = True
            received = b""
            while chunk := connection.recv(65_536):
                received += chunk
    finally:
        served.server.should_exit = True
        served.thread.join(20)
        auto.AutoHTTPProtocol = before
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close\r\n" in received
    assert b'"slow"' in received


def test_heads_are_remembered_but_not_without_end(served: Served) -> None:
    """A head with the client's own id never comes again; others do."""
    with served.connect() as connection:
        for number in range(HEADS + 10):
            connection.sendall(plain(b"a", b"X: %d\r\n" % number))
            connection.sendall(plain(b"a", b"X-Request-ID: %d\r\n" % number))
            read(connection, 2)
            assert 0 < len(served.door.heads) <= HEADS
    assert all(head.client_id is None for head in served.door.heads.values())


def test_a_head_is_plain_only_with_the_token() -> None:
    """A wrong token is refused the usual way."""
    settings = Settings(predict_token="secret", hosts="x")
    right = plain(b"a", b"Authorization: Bearer secret\r\n")[:-1]
    assert read_head(right, settings) is not None
    assert read_head(right.replace(b"secret", b"guess!"), settings) is None
    assert read_head(plain(b"a")[:-1], settings) is None


@pytest.mark.parametrize(
    "more", [b"Origin: http://x\r\n", b"Sec-Fetch-Site: same-origin\r\n", b"Host: y\r\n"]
)
def test_what_a_page_may_have_sent_takes_the_usual_way(more: bytes) -> None:
    """There the rules on hosts and origins are; a head with another host is not remembered."""
    assert read_head(plain(b"", more), Settings(hosts="x")) is None
    assert read_head(plain(b""), Settings(hosts="x")) is not None
    assert read_head(plain(b""), Settings()) is None
