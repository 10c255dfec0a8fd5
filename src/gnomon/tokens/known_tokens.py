"""The named tokens that a running server accepts, as of the last time it looked."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from gnomon.errors import GnomonError, StorageError, Unauthorized, UnreadableFile
from gnomon.tokens.token_record import StoredSecret, TokenRecord
from gnomon.tokens.token_store import TokenStore
from gnomon.tokens.token_text import TokenText

__all__ = ["KnownTokens"]

logger = logging.getLogger("gnomon")

_NOBODY = StoredSecret.of(TokenText.new())
"""Compared with when the id is unknown, so that this takes as long as when the secret is wrong."""


class _Known(NamedTuple):
    record: TokenRecord
    secret: StoredSecret


class KnownTokens:
    """Finds the record of a token that a client sent.

    Records never change once they are written, so each is read once. A token whose newest record
    cannot be found or read is refused, also if an older one can: the newest may revoke it. That
    concerns no other token.

    Args:
        store: where the records are.
        now: the clock, in UTC.
    """

    def __init__(
        self, store: TokenStore, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = store
        self._now = now
        self._records: dict[str, TokenRecord] = {}
        self._by_id: dict[str, _Known] = {}
        self._complaints: set[str] = set()
        self._refreshing = threading.Lock()

    def refresh(self) -> None:
        """Read the records written since the last time.

        Raises:
            StorageError: the tokens cannot be listed; what was read before is still used.
        """
        with self._refreshing:
            newest, unlisted = self._store.listing()
            for name, error in unlisted.items():
                newest.pop(name, None)
                self._complain(name, error)
            paths = newest.values()
            records = {path: self._records.get(path) or self._read(path) for path in paths}
            self._records = {path: record for path, record in records.items() if record}
            self._by_id = {
                secret.id: _Known(record, secret)
                for record in self._records.values()
                for secret in record.secrets
            }

    def knows(self, text: TokenText) -> bool:
        """Return whether a token has this id, whatever its secret."""
        return text.id in self._by_id

    def check(self, text: TokenText) -> TokenRecord | None:
        """Return the record of a valid token; None if it is unknown or its secret is wrong.

        Raises:
            Unauthorized: it is expired, revoked or replaced. That is said only to who has the
                secret.
        """
        known = self._by_id.get(text.id)
        secret = _NOBODY if known is None else known.secret
        if not text.has_secret(secret.sha256) or known is None:
            return None
        record, now = known.record, self._now()
        _check_state(record, now)
        if secret.until is not None and now >= secret.until:
            raise _refused(record, "was replaced by a newer one", "send the newer one")
        return record

    def check_name(self, name: str) -> None:
        """Check that a token that was accepted is still valid.

        Raises:
            Unauthorized: it is expired or revoked, or its newest record cannot be read.
        """
        for record in self._records.values():
            if record.name == name:
                return _check_state(record, self._now())
        raise Unauthorized(
            f"the token `{name}` is not known any more",
            where="Authorization",
            hint="look at it: gnomon token list",
        )

    def _read(self, path: str) -> TokenRecord | None:
        try:
            return self._store.read(path)
        except (StorageError, UnreadableFile) as error:
            self._complain(path, error)
            return None

    def _complain(self, about: str, error: GnomonError) -> None:
        if about not in self._complaints:
            self._complaints.add(about)
            logger.error("a token is refused, because its record cannot be read: %s", error)


def _check_state(record: TokenRecord, now: datetime) -> None:
    state = record.state(now)
    if state == "expired":
        why = f"expired at {record.expires:%Y-%m-%d %H:%M:%S} UTC"
        raise _refused(record, why, f"ask for a new one: gnomon token rotate {record.name}")
    if state == "revoked":
        raise _refused(record, "was revoked", "ask for another one: gnomon token create")


def _refused(record: TokenRecord, why: str, remedy: str) -> Unauthorized:
    return Unauthorized(f"the token `{record.name}` {why}", where="Authorization", hint=remedy)
