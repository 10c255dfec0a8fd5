"""Errors that another process raised."""

from __future__ import annotations

import msgspec
import pytest

from gnomon import errors
from gnomon.errors import GnomonError, LogUnavailable, ServerError
from gnomon.log.segments.layout import StreamBusy
from gnomon.wire_errors import SentError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, GnomonError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_comes_back(kind: type[GnomonError]) -> None:
    """It has its own class, whatever its constructor takes, with its message, place and hint."""
    sent = SentError(kind.code, "message", "where", "hint")
    error = msgspec.json.decode(msgspec.json.encode(sent), type=SentError).error()
    assert type(error) is kind
    assert str(error) == "message at where. hint"
    assert SentError.of(error) == sent


def test_a_class_without_a_code_of_its_own_comes_back_as_the_one_it_has_it_from() -> None:
    """This holds even if its class is known: who catches the error knows the public class."""
    assert StreamBusy.code == LogUnavailable.code
    assert type(SentError.of(StreamBusy("taken")).error()) is LogUnavailable


def test_an_unknown_code_keeps_its_message() -> None:
    """A newer server may have errors that this version does not know."""
    error = SentError("invented_later", "message").error(unknown=ServerError)
    assert type(error) is ServerError
    assert error.message == "message"
