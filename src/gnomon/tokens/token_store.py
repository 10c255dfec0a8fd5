"""The records of named tokens under the storage root, a folder or S3."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gnomon.errors import StorageError, TokenError, UnreadableFile
from gnomon.formats import decode
from gnomon.storage import Storage
from gnomon.tokens.token_record import KIND, TokenRecord

__all__ = ["TokenStore"]

FOLDER = "tokens"


class TokenStore:
    """Reads and writes token records; see :mod:`gnomon.tokens.token_record`.

    Every method raises :class:`~gnomon.errors.StorageError` if the storage root cannot be used.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def create(self, record: TokenRecord) -> None:
        """Write the first record of a token.

        Raises:
            TokenError: there is a token of that name already, or there was one.
        """
        if not self._write(record, 0):
            raise TokenError(
                f"there is a token `{record.name}` already, or there was one",
                where=f"{FOLDER}/{record.name}",
                hint="choose another name, so that the history stays clear about who decided; "
                f"for a new secret: gnomon token rotate {record.name}",
            )

    def change(self, name: str, change: Callable[[TokenRecord], TokenRecord]) -> TokenRecord:
        """Record a change of a token, and return the new record.

        Raises:
            TokenError: there is no such token, or another change was recorded at the same time.
            UnreadableFile: its last record is damaged.
        """
        newest, unlisted = self.listing()
        if name in unlisted:
            raise unlisted[name]
        path = newest.get(name)
        if path is None:
            known = ", ".join(newest) or "none"
            raise TokenError(f"there is no token `{name}`", hint=f"the tokens are: {known}")
        record = change(self.read(path))
        if not self._write(record, _number(path) + 1):
            raise TokenError(
                f"the token `{name}` was changed by someone else at the same time",
                where=path,
                hint="look at `gnomon token list`, then try again",
            )
        return record

    def is_revoked(self, name: str) -> bool:
        """Return whether a token that there was is valid no more: revoked, or removed.

        Raises:
            UnreadableFile: its last record is damaged.
        """
        newest, unlisted = self.listing()
        if name in unlisted:
            raise unlisted[name]
        path = newest.get(name)
        return path is None or self.read(path).revoked

    def newest(self) -> dict[str, str]:
        """Return the path of the newest record of each token, by the token's name."""
        newest, unlisted = self.listing()
        for error in unlisted.values():
            raise error
        return newest

    def listing(self) -> tuple[dict[str, str], dict[str, StorageError]]:
        """Return the paths as :meth:`newest`, and why records cannot be listed, by token."""
        names, unlisted = self._storage.listing(FOLDER)
        newest: dict[str, str] = {}
        for path in names:
            parts = path.split("/")
            if len(parts) == 3 and _number(path) >= 0:
                newest[parts[1]] = max(path, newest.get(parts[1], ""))
        return newest, {
            place.split("/")[1]: error for place, error in unlisted.items() if place.count("/") == 1
        }

    def read(self, path: str) -> TokenRecord:
        """Return the record at a path.

        Raises:
            UnreadableFile: it is missing, damaged, or of a newer version of Gnomon.
        """
        record = decode(self._storage.read(path) or b"", TokenRecord, KIND, path)
        if record.name != path.split("/")[1]:
            raise UnreadableFile(
                f"this is the record of the token `{record.name}`", where=path, hint=KIND.hint
            )
        return record

    def _write(self, record: TokenRecord, number: int) -> bool:
        content = msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"
        return self._storage.create(f"{FOLDER}/{record.name}/{number:06}.json", content)


def _number(path: str) -> int:
    """Return the number of a record; -1 if the file is not one."""
    stem, _, suffix = path.rpartition("/")[2].partition(".")
    return int(stem) if suffix == "json" and len(stem) == 6 and stem.isdecimal() else -1
