"""What an exception of user code says, as text that can be logged and sent."""

from __future__ import annotations

__all__ = ["error_kind", "error_text"]

MOST_CHARACTERS = 4_096
"""Some messages contain the complete frame, and every answer and log record would."""
_MOST_OF_A_NAME = 100


def error_text(error: BaseException) -> str:
    """Return an exception's message, cut to a few thousand characters.

    Converting an exception to text may raise, and a message may have characters that UTF-8 does not
    encode. Neither may end the worker, which would hide the error.
    """
    try:
        text = str(error)
    except Exception as failure:
        return f"its message cannot be read: {error_kind(failure)}"
    if len(text) > MOST_CHARACTERS:
        text = f"{text[:MOST_CHARACTERS]}... ({len(text):,} characters)"
    return text.encode(errors="backslashreplace").decode()


def error_kind(error: BaseException) -> str:
    """Return the name of an exception's class, cut to a hundred characters."""
    return type(error).__name__[:_MOST_OF_A_NAME]
