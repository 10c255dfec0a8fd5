"""The text of a named token: ``gnomon_<id>_<secret>``.

The id says which record to compare with, so a token is found without comparing it with every other
one, and it may be shown. The secret is 256 random bits. It is stored as its SHA-256: a slow hash
such as scrypt protects what people choose, and adds nothing to a secret that cannot be guessed
(NIST SP 800-63B, 5.1.2.2, on look-up secrets).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import NamedTuple, Self

__all__ = ["TokenText"]

_PREFIX = "gnomon"
_TEXT = re.compile(rb"gnomon_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


class TokenText(NamedTuple):
    """A named token, as a client sends it.

    Attributes:
        id: 16 hex digits; not secret.
        secret: 43 characters of URL-safe base64.
    """

    id: str
    secret: str

    @classmethod
    def new(cls) -> Self:
        """Return a new token that nobody has."""
        return cls(secrets.token_hex(8), secrets.token_urlsafe(32))

    @classmethod
    def parse(cls, text: bytes) -> Self | None:
        """Return the parts of a token; None if the text is not of this form."""
        match = _TEXT.fullmatch(text)
        return None if match is None else cls(match[1].decode(), match[2].decode())

    @property
    def text(self) -> str:
        """The token as one text."""
        return f"{_PREFIX}_{self.id}_{self.secret}"

    @property
    def sha256(self) -> str:
        """The hash of the secret, as it is stored."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def has_secret(self, sha256: str) -> bool:
        """Return whether this token's secret has this hash, in the same time for any guess."""
        return hmac.compare_digest(self.sha256, sha256)

    def __repr__(self) -> str:
        return f"TokenText(id={self.id!r}, secret=...)"
