"""Reading bodies and writing responses by ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import httpx
import msgspec
import pytest

from gnomon.errors import (
    BodyTooLarge,
    GnomonError,
    InvalidRequest,
    LogUnavailable,
    MalformedBody,
    NotReady,
    Overloaded,
    RequestTimeout,
    Unauthorized,
)
from gnomon.service.http.asgi import (
    ClientGone,
    Message,
    Receive,
    error_response,
    header,
    read_body,
    respond,
)


def sending(*messages: Message) -> Receive:
    """An ASGI ``receive`` that gives these messages, and fails when asked for one more."""
    left = iter(messages)

    async def receive() -> Message:
        return next(left)

    return receive


def chunk(body: bytes, more: bool = False) -> Message:
    """One message of a request body."""
    return {"type": "http.request", "body": body, "more_body": more}


def read(*messages: Message, limit: int = 10, headers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """The body of a request that sends these messages."""
    return asyncio.run(read_body(sending(*messages), limit, headers, seconds=5))


def test_a_body_in_chunks_is_joined() -> None:
    """However many messages a body comes in, it is read whole and in order."""
    assert read(chunk(b"abc")) == b"abc"
    assert read(chunk(b"ab", True), chunk(b"", True), chunk(b"cd")) == b"abcd"
    assert read({"type": "http.request"}) == b""


def test_a_body_as_long_as_the_limit_is_taken() -> None:
    """The limit itself is allowed."""
    assert read(chunk(b"x" * 5, True), chunk(b"y" * 5)) == b"xxxxxyyyyy"


def test_a_body_announced_as_too_long_is_refused_unread() -> None:
    """``Content-Length`` alone is enough; not one message is received."""
    with pytest.raises(BodyTooLarge, match="at most 10 bytes, got 11"):
        read(limit=10, headers=[(b"content-length", b"11")])


@pytest.mark.parametrize(
    "messages", [(chunk(b"x" * 11),), (chunk(b"x" * 6, True), chunk(b"x" * 6, True))]
)
def test_a_body_is_refused_as_soon_as_it_passes_the_limit(messages: tuple[Message, ...]) -> None:
    """A body that did not announce its length, or lied, is dropped at the message that is over."""
    with pytest.raises(BodyTooLarge, match="GNOMON_BODY_BYTES"):
        read(*messages, headers=[(b"content-length", b"3")])


@pytest.mark.parametrize("length", [b"many", b"-1", b""])
def test_a_content_length_that_is_no_number_is_refused(length: bytes) -> None:
    """It is the client's mistake, not a crash."""
    with pytest.raises(MalformedBody):
        read(chunk(b""), headers=[(b"content-length", length)])


def test_a_disconnected_client_is_not_an_empty_body() -> None:
    """There is no client to answer, before or during the body."""
    with pytest.raises(ClientGone):
        read({"type": "http.disconnect"})
    with pytest.raises(ClientGone):
        read(chunk(b"ab", True), {"type": "http.disconnect"})


def test_a_client_that_stops_amid_the_body_times_out() -> None:
    """The error says how long it had, and the answer to it closes the connection."""

    async def silent() -> Message:
        return await asyncio.get_running_loop().create_future()

    with pytest.raises(RequestTimeout, match=r"within 0\.01 s.*GNOMON_CLIENT_SECONDS") as raised:
        asyncio.run(read_body(silent, 10, seconds=0.01))
    assert (b"connection", b"close") in error_response(raised.value)[1]


def test_an_answer_is_two_messages() -> None:
    """Start with length and type, then the body."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(respond(send, 418, b"tea", b"text/plain", headers=[(b"x-pot", b"brown")]))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert dict(sent[0]["headers"]) == {
        b"content-type": b"text/plain",
        b"content-length": b"3",
        b"x-content-type-options": b"nosniff",
        b"x-pot": b"brown",
    }
    assert sent[1]["body"] == b"tea"


def test_every_error_has_the_same_shape() -> None:
    """Code, message, where, hint and request id, whatever the error."""
    error = InvalidRequest("expected `int`", where="$.rows[3].hour", hint="send 5")
    status, headers, body = error_response(error, "r-1")
    assert (status, headers) == (422, ())
    assert msgspec.json.decode(body) == {
        "error": {
            "code": "invalid_request",
            "message": "expected `int`",
            "where": "$.rows[3].hour",
            "hint": "send 5",
            "request_id": "r-1",
        }
    }


@pytest.mark.parametrize("kind", [Overloaded, NotReady, LogUnavailable])
def test_every_503_has_retry_after(kind: type[GnomonError]) -> None:
    """Every 503 says ``Retry-After``."""
    assert (b"retry-after", b"1") in error_response(kind("later"))[1]


def test_a_missing_token_names_the_scheme() -> None:
    """A 401 says ``WWW-Authenticate``, as HTTP asks."""
    assert (b"www-authenticate", b"Bearer") in error_response(Unauthorized("who?"))[1]


def test_a_header_is_found_by_its_lower_case_name() -> None:
    """The first of a name counts; an absent one is None."""
    scope = {"headers": [(b"a", b"1"), (b"b", b"2"), (b"b", b"3")]}
    assert header(scope, b"b") == b"2"
    assert header(scope, b"c") is None


def test_a_streamed_body_over_the_limit_is_refused_by_a_real_server(url: str) -> None:
    """A chunked upload, which announces no length, gets its 413 while it is still sending."""

    def chunks() -> Iterable[bytes]:
        for _ in range(20):
            yield b"x" * 10_000

    answer = httpx.post(f"{url}/predict", content=chunks())
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"
