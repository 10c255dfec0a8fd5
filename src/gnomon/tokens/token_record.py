"""What is stored about a named token: everything but the token itself.

``tokens/<name>/000000.json`` is written when the token is created, ``000001.json`` at the first
change, and so on, each with the complete state and only if its number does not exist yet. Of two
changes at once one is recorded, and the files show who changed what, and when.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from gnomon.formats import Format
from gnomon.tokens.roles import Role
from gnomon.tokens.token_text import TokenText

__all__ = ["FORMAT", "StoredSecret", "TokenRecord"]

FORMAT = 1
KIND = Format(
    "token", FORMAT, hint="restore it from a backup, or remove the folder: the token is then gone"
)


class StoredSecret(msgspec.Struct, frozen=True, kw_only=True):
    """One secret of a token: while a rotation overlaps, a token has two.

    Attributes:
        id: the public part of the token's text.
        sha256: the hash of its secret part.
        until: when it stops being valid because of a rotation; None: with the token.
    """

    id: str
    sha256: str
    until: datetime | None = None

    @classmethod
    def of(cls, text: TokenText) -> StoredSecret:
        """Return what is stored of a new token."""
        return cls(id=text.id, sha256=text.sha256)


class TokenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A named token.

    Attributes:
        format: the version of this file's format.
        name: who has it; decisions are recorded under this name.
        role: what it may do.
        models: the models that it may be used for; empty: all.
        expires: when it stops being valid; None: never.
        revoked: whether it is valid no more.
        secrets: its secrets, the newest last.
        created: when it was created.
        change: what was done last.
        changed: when that was done.
        by: who did it, as claimed by the account that wrote to the storage root.
    """

    format: int = FORMAT
    name: str
    role: Role
    models: tuple[str, ...] = ()
    expires: datetime | None = None
    revoked: bool = False
    secrets: tuple[StoredSecret, ...] = ()
    created: datetime
    change: Literal["create", "rotate", "revoke"] = "create"
    changed: datetime
    by: str | None = None

    def state(self, now: datetime) -> Literal["valid", "expired", "revoked"]:
        """Return whether it is valid at a time, and if not, why."""
        if self.revoked:
            return "revoked"
        return "expired" if self.expires is not None and now >= self.expires else "valid"
