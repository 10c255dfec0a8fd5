"""The text of a named token."""

from __future__ import annotations

import pytest

from gnomon.tokens.token_text import TokenText


def test_a_token_is_read_back() -> None:
    """Each is another one."""
    token = TokenText.new()
    assert TokenText.parse(token.text.encode()) == token
    assert token != TokenText.new()


@pytest.mark.parametrize(
    "text",
    [b"", b"gnomon_", b"secret", b"gnomon_0123456789abcdef_short", b"gnomon_X_" + b"a" * 43,
     b"gnomon_0123456789abcdef_" + b"a" * 44, b"gnomon_0123456789abcdef_" + b"\xff" * 43],
)  # fmt: skip
def test_another_text_is_none(text: bytes) -> None:
    """It may be the control token."""
    assert TokenText.parse(text) is None


def test_the_secret_is_compared_by_its_hash_and_not_shown() -> None:
    """A token in an error or a traceback shows its id at most."""
    token = TokenText.new()
    assert token.has_secret(token.sha256)
    assert not token.has_secret(TokenText.new().sha256)
    assert token.secret not in repr(token)
    assert token.secret not in token.sha256
