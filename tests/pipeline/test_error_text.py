"""The text of an error that a pipeline raised, whatever the error is."""

from __future__ import annotations

from gnomon.pipeline.error_text import MOST_CHARACTERS, error_kind, error_text


class Unreadable(Exception):
    """One that raises when it is asked for its message."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_a_message_is_cut() -> None:
    """It may contain a complete frame, which the answer and the log record would contain too."""
    text = error_text(ValueError("x" * 50_000_000))
    assert len(text) < MOST_CHARACTERS + 50
    assert text.endswith("x... (50,000,000 characters)")


def test_a_message_that_raises_is_no_reason_to_die() -> None:
    """Otherwise the worker would end, and the row would count as one that kills workers."""
    assert error_text(Unreadable()) == "its message cannot be read: RuntimeError"


def test_what_utf_8_cannot_encode_is_escaped() -> None:
    """The same: the log has text only."""
    assert error_text(ValueError("a \udcff")) == "a \\udcff"
    assert error_kind(type("E" * 200, (Exception,), {})()) == "E" * 100
