"""Plain prediction requests skip ASGI, and get the same answers as those that do not."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gnomon.service.connection import is_plain
from gnomon.service.http.request_head import read_head
from gnomon.service.http.request_head_cache import MOST_HEADS
from gnomon.settings import Settings
from tests.service.echo import Served


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    server = Served()
    try:
        yield server
    finally:
        server.close()


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


def test_plain_requests_skip_asgi(served: Served) -> None:
    """One after the other on one connection, with and without the client's own id."""
    with served.connect() as connection:
        for body, headers, given in (
            (b"a", b"", None),
            (b"", b"", None),
            (b"b", b"X-Request-ID: me\r\n", "me"),
        ):
            connection.sendall(plain(body, headers))
            assert read(connection, 1) == [
                (200, {"body": body.decode(), "id": given, "asgi": False})
            ]


@pytest.mark.parametrize(
    "request_",
    [
        chunked(b"a"),
        plain(b"a", b"Connection: close\r\n"),
        plain(b"a").replace(b"/predict", b"/predict?why=not"),
        plain(b"a").replace(b"HTTP/1.1", b"HTTP/1.0"),
        plain(b"a" * 100_000),
    ],
    ids=["chunked", "close", "query", "old", "long body"],
)
def test_what_is_not_plain_goes_through_asgi(served: Served, request_: bytes) -> None:
    """Its answer is the same."""
    with served.connect() as connection:
        connection.sendall(request_)
        [(status, answer)] = read(connection, 1)
    assert (status, answer["asgi"], answer["body"][:1]) == (200, True, "a")


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
    """They are, however many come at once and wherever the network cuts them."""
    chosen = data.draw(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=6))
    stream = b"".join(request for request, _ in chosen)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=5)))
    with served.connect() as connection:
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            connection.sendall(stream[start:end])
        answers = read(connection, len(chosen))
    bodies = [answer.get("body", answer.get("inner")) for _, answer in answers]
    assert bodies == [expected for _, expected in chosen]
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


def test_a_malformed_request_gets_an_error(served: Served) -> None:
    """Two lengths, or a header that is none, are a 400 and the end of the connection."""
    for headers in (b"Content-Length: 3\r\n", b"no header\r\n"):
        with served.connect() as connection:
            connection.sendall(plain(b"a", headers))
            assert connection.recv(65_536).startswith(b"HTTP/1.1 400 ")


def test_a_bug_is_a_500_and_the_connection_goes_on(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer has the one error shape; the traceback is in the log."""
    with served.connect() as connection:
        connection.sendall(plain(b"bug"))
        [(status, answer)] = read(connection, 1)
        assert (status, answer["error"]["message"]) == (500, "ZeroDivisionError: a bug")
        connection.sendall(plain(b"fine"))
        assert read(connection, 1)[0][1]["body"] == "fine"
    assert "POST /predict failed" in caplog.text


def test_the_answer_of_a_disconnected_client_is_dropped(served: Served) -> None:
    """Its answer is dropped."""
    with served.connect() as connection:
        connection.sendall(plain(b"slow"))
    with served.connect() as connection:
        connection.sendall(plain(b"a"))
        assert read(connection, 1)[0][0] == 200


def test_stopping_answers_what_is_under_way() -> None:
    """The answers say that the connection closes."""
    served = Served()
    try:
        with served.connect() as connection:
            connection.sendall(plain(b"slow"))
            assert served.echo.busy.wait(20)
            served.server.should_exit = True
            received = b""
            while chunk := connection.recv(65_536):
                received += chunk
    finally:
        served.close()
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close\r\n" in received
    assert b'"slow"' in received


def test_repeated_heads_are_remembered_up_to_a_limit(served: Served) -> None:
    """A head that comes twice in a row is cached without the client's id, and ids stay separate."""
    with served.connect() as connection:
        for number in range(MOST_HEADS + 10):
            for mark in (b"X-Request-ID", b"traceparent", b"X-Request-ID"):
                connection.sendall(plain(b"a", b"%s: %d\r\nX: %d\r\n" % (mark, number, number)))
                [(status, answer)] = read(connection, 1)
                given = str(number) if mark == b"X-Request-ID" else None
                assert (status, answer["id"]) == (200, given)
            assert 0 < len(served.door.heads) <= MOST_HEADS
    assert not any(b"equest" in head or b"trace" in head for head in served.door.heads)


@pytest.mark.parametrize(
    ("headers", "status", "given"),
    [
        (b"X-Request-ID: a\r\nX-Request-ID: b\r\n", 200, "a"),
        (b"X-Request-ID:\r\n", 200, ""),
        (b"X-Request-ID: \x00\r\n", 400, None),
        (b"X-Request-ID: a\nHost: y\r\n", 400, None),
        (b"X-Request-ID: a\r\n b\r\n", 400, None),
        (b"A: 1\r\n" * 97 + b"X-Request-ID: a\r\n", 200, "a"),
        (b"A: 1\r\n" * 98 + b"X-Request-ID: a\r\n", 431, None),
    ],
)
def test_an_id_of_the_client_is_read_as_any_header(
    served: Served, headers: bytes, status: int, given: str | None
) -> None:
    """It is read as one even if the rest of the head is known."""
    known = headers.replace(b"X-Request-ID: a\r\n", b"") if headers[:1] == b"A" else b""
    for _ in range(2):
        with served.connect() as connection:
            connection.sendall(plain(b"a", known) * 3)
            read(connection, 3)
            connection.sendall(plain(b"a", headers))
            [(got, answer)] = read(connection, 1)
        assert (got, answer.get("id")) == (status, given)


def test_a_head_is_plain_only_with_the_token() -> None:
    """A request with a wrong token goes through ASGI, where it is refused."""
    settings = Settings(predict_token="secret", hosts="x")
    right = plain(b"a", b"Authorization: Bearer secret\r\n")[:-1]
    assert is_plain(read_head(right), settings)
    assert not is_plain(read_head(right.replace(b"secret", b"guess!")), settings)
    assert not is_plain(read_head(plain(b"a")[:-1]), settings)


@pytest.mark.parametrize("more", [b"Origin: http://x\r\n", b"Sec-Fetch-Site: same-origin\r\n"])
def test_what_a_page_may_have_sent_goes_through_asgi(more: bytes) -> None:
    """The rules on origins apply there."""
    assert not is_plain(read_head(plain(b"", more)), Settings(hosts="x"))
    assert is_plain(read_head(plain(b"")), Settings(hosts="x"))


def test_a_host_that_is_not_ours_goes_through_asgi() -> None:
    """It is refused there, and its head is not cached."""
    assert not is_plain(read_head(plain(b"")), Settings())
