"""Parts of a secret, for tests that none of them is anywhere."""

from __future__ import annotations

CHARACTERS = 12
"""Short enough to find a secret that was cut, long enough not to be in other text by chance."""


def parts_of(secret: str) -> set[str]:
    """Return every part of a secret of so many characters."""
    assert len(secret) >= CHARACTERS
    return {secret[at : at + CHARACTERS] for at in range(len(secret) - CHARACTERS + 1)}
