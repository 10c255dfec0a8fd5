"""The errors that a client raises: what a server answered, or that it cannot be reached."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import httpx
import msgspec

from gnomon.errors import DeadlineExceeded, GnomonError, ServerError
from gnomon.wire_errors import SentError

__all__ = ["failure_of", "foreign_answer", "reaching"]


@contextlib.contextmanager
def reaching(url: str) -> Iterator[None]:
    """Turn errors of httpx into Gnomon's.

    Raises:
        DeadlineExceeded: the server did not answer in time.
        ServerError: the server did not answer at all, or ``url`` is not a URL.
    """
    try:
        yield
    except httpx.TimeoutException as error:
        raise DeadlineExceeded(
            f"no answer in time: {type(error).__name__}",
            where=url,
            hint="give the client a longer `timeout`",
        ) from None
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ServerError(
            f"expected a URL such as http://127.0.0.1:3000: {error}", where=ascii(url)[1:-1]
        ) from None
    except httpx.UnsupportedProtocol:
        raise ServerError(
            "expected a URL that begins with http:// or https://",
            where=url,
            hint=f"write http://{url}",
        ) from None
    except httpx.HTTPError as error:
        raise ServerError(
            f"no answer: {error}",
            where=url,
            hint="is the server running? `gnomon serve` starts it",
        ) from None


class _Error(SentError, frozen=True):
    request_id: str | None = None


class _ErrorAnswer(msgspec.Struct):
    error: _Error


def failure_of(body: bytes, where: str, status: int = 200) -> GnomonError:
    """Return the error that a server answered, as the class with which the server raised it.

    Args:
        body: the body of the answer, or a line of it.
        where: the URL.
        status: the status of the answer.
    """
    try:
        answer = msgspec.json.decode(body, type=_ErrorAnswer).error
    except msgspec.DecodeError:
        return foreign_answer(body[:200].decode(errors="replace"), where, status)
    raised = answer.error(unknown=ServerError)
    if answer.request_id is not None:
        raised.add_note(f"request {answer.request_id}")
    return raised


def foreign_answer(detail: str, where: str, status: int) -> ServerError:
    """Return the error for an answer that is not Gnomon's."""
    return ServerError(f"expected a Gnomon answer, got HTTP {status}: {detail}", where=where)
