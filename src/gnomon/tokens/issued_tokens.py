"""Create, list, rotate and revoke named tokens: for those who may write to the storage root.

No route does this: a server cannot be made to issue a token, however much a caller may do there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from gnomon.artifact.store import check_model
from gnomon.errors import TokenError
from gnomon.settings import Settings
from gnomon.storage import Storage
from gnomon.tokens.roles import ROLES, Role
from gnomon.tokens.token_record import StoredSecret, TokenRecord
from gnomon.tokens.token_store import TokenStore
from gnomon.tokens.token_text import TokenText

__all__ = [
    "IssuedToken",
    "NewToken",
    "create_token",
    "list_tokens",
    "revoke_token",
    "rotate_token",
]

LIFETIME = timedelta(days=90)
"""How long a token is valid, unless it is said: a quarter, after which somebody looks again."""
MOST_DAYS = 36_500
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


class IssuedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A named token, without its secret.

    Attributes:
        name: who has it.
        role: what it may do.
        models: the models it may be used for; empty: all.
        state: whether it is valid now, and if not, why.
        created: when it was created.
        expires: when it stops being valid; None: never.
        ids: the public parts of its secrets that are valid; two while a rotation overlaps.
        changed: when it was created, rotated or revoked last.
        by: who did that, as claimed.
    """

    name: str
    role: Role
    models: tuple[str, ...]
    state: Literal["valid", "expired", "revoked"]
    created: datetime
    expires: datetime | None
    ids: tuple[str, ...]
    changed: datetime
    by: str | None


class NewToken(IssuedToken, frozen=True, kw_only=True):
    """A token that was just made.

    Attributes:
        token: the token itself, to be sent as ``Authorization: Bearer TOKEN``. It is stored
            nowhere.
    """

    token: str

    def __repr__(self) -> str:
        return f"NewToken(name={self.name!r}, role={self.role!r}, token=...)"


def create_token(
    name: str,
    role: Role,
    *,
    models: Collection[str] = (),
    lifetime: timedelta | None = LIFETIME,
    by: str | None = None,
    settings: Settings | None = None,
) -> NewToken:
    """Create a named token; its text is in the result and stored nowhere.

    Args:
        name: who gets it: lower-case letters, digits and ``. _ @ + -``.
        role: ``viewer``, ``labeller``, ``operator``, ``promoter`` or ``forcer``; each may do what
            those before it may.
        models: the models it may be used for; by default all.
        lifetime: how long it is valid; None: until it is revoked.
        by: who creates it, for the record.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        TokenError: there is a token of that name already, or there was one, or an argument is
            wrong.
        UnknownArtifact: something in ``models`` cannot be a model's name.
    """
    _check_name(name)
    _check_role(role)
    for model in models:
        check_model(model)
    now, text = datetime.now(UTC), TokenText.new()
    record = TokenRecord(
        name=name,
        role=role,
        models=tuple(sorted({*models})),
        expires=_expiry(now, lifetime),
        secrets=(StoredSecret.of(text),),
        created=now,
        changed=now,
        by=by,
    )
    _store(settings).create(record)
    return _with_text(record, text)


def list_tokens(*, settings: Settings | None = None) -> list[IssuedToken]:
    """Return all tokens by name, also those that are expired or revoked.

    Args:
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        UnreadableFile: the record of a token is damaged.
    """
    store, now = _store(settings), datetime.now(UTC)
    return [_shown(store.read(path), now) for path in store.newest().values()]


def rotate_token(
    name: str,
    *,
    overlap: timedelta = timedelta(0),
    lifetime: timedelta | Literal["same"] | None = "same",
    by: str | None = None,
    settings: Settings | None = None,
) -> NewToken:
    """Give a token a new secret; name, role and models stay as they are.

    Args:
        name: the token's name.
        overlap: how long the old secret remains valid too, but no longer than it would have been.
        lifetime: how long the new one is valid; by default as long as it was at its creation or
            last rotation. None: until it is revoked.
        by: who rotates it, for the record.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        TokenError: there is no such token, it is revoked, or it was changed at the same time.
    """
    now, text = datetime.now(UTC), TokenText.new()
    if overlap < timedelta(0):
        raise TokenError(f"expected an overlap of 0 or more, got {overlap}")

    def rotated(record: TokenRecord) -> TokenRecord:
        _refuse_revoked(record)
        until = min(filter(None, (now + overlap, record.expires)))
        old = tuple(_ending(secret, until) for secret in record.secrets)
        expires = record.expires and now + (record.expires - record.changed)
        return msgspec.structs.replace(
            record,
            expires=expires if lifetime == "same" else _expiry(now, lifetime),
            secrets=(*(s for s in old if s.until and s.until > now), StoredSecret.of(text)),
            change="rotate",
            changed=now,
            by=by,
        )

    return _with_text(_change(name, rotated, settings), text)


def revoke_token(
    name: str, *, by: str | None = None, settings: Settings | None = None
) -> IssuedToken:
    """Revoke a token for good; its name cannot be used again.

    Args:
        name: the token's name.
        by: who revokes it, for the record.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        TokenError: there is no such token, it is revoked already, or it was changed at the same
            time.
    """
    now = datetime.now(UTC)

    def revoked(record: TokenRecord) -> TokenRecord:
        _refuse_revoked(record)
        return msgspec.structs.replace(record, revoked=True, change="revoke", changed=now, by=by)

    return _shown(_change(name, revoked, settings), now)


def _change(
    name: str, change: Callable[[TokenRecord], TokenRecord], settings: Settings | None
) -> TokenRecord:
    _check_name(name)
    return _store(settings).change(name, change)


def _store(settings: Settings | None) -> TokenStore:
    return TokenStore(Storage(settings or Settings.read()))


def _shown(record: TokenRecord, now: datetime) -> IssuedToken:
    state = record.state(now)
    ids = [s.id for s in record.secrets if s.until is None or s.until > now]
    return IssuedToken(
        name=record.name,
        role=record.role,
        models=record.models,
        state=state,
        created=record.created,
        expires=record.expires,
        ids=tuple(ids) if state == "valid" else (),
        changed=record.changed,
        by=record.by,
    )


def _with_text(record: TokenRecord, text: TokenText) -> NewToken:
    shown = msgspec.structs.asdict(_shown(record, record.changed))
    return NewToken(**shown, token=text.text)


def _ending(secret: StoredSecret, until: datetime) -> StoredSecret:
    """Return a secret that is valid until then, or until it would have ended anyway."""
    end = until if secret.until is None else min(secret.until, until)
    return msgspec.structs.replace(secret, until=end)


def _expiry(now: datetime, lifetime: timedelta | None) -> datetime | None:
    if lifetime is None:
        return None
    if not timedelta(0) < lifetime <= timedelta(days=MOST_DAYS):
        raise TokenError(
            f"expected a lifetime above 0 and of at most {MOST_DAYS:,} days, got {lifetime}",
            hint="for a token that does not expire: --expires never, in Python lifetime=None",
        )
    return now + lifetime


def _refuse_revoked(record: TokenRecord) -> None:
    if record.revoked:
        raise TokenError(
            f"the token `{record.name}` was revoked on {record.changed:%Y-%m-%d}",
            hint="create one with another name",
        )


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise TokenError(
            f"expected a name of at most 64 lower-case letters, digits and . _ @ + -, got {name!r}",
            hint="such as ann, ann@example.com or ci-flights",
        )


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise TokenError(f"expected a role, got {role!r}", hint=f"the roles are {', '.join(ROLES)}")
