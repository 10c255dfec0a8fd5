"""What was sealed, recorded apart from the table, to compare the table with.

``sealed/<model>/<spool>.json`` under the storage root is written by the one sealer of a spool, each
time after the rows it names are on disk in the table, and before their segments are removed. Rows
that the table has beyond it are still in the spool; rows that the table lacks are lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from gnomon import formats
from gnomon.errors import LogError, NewerLog
from gnomon.storage import Storage

__all__ = [
    "FORMAT",
    "Ledger",
    "Removal",
    "SealedStream",
    "read_ledgers",
    "sealed_rows",
    "set_aside_damaged",
    "write_ledger",
]

FORMAT = 1

_FORMAT = formats.Format(
    "ledger of what was sealed",
    FORMAT,
    hint="gnomon log repair rebuilds it from the table",
    damaged=LogError,
    newer=NewerLog,
)


class SealedStream(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a stream was sealed.

    Attributes:
        identity: of the stream's folder; numbers of segments begin anew with another one.
        sequence: the number of the last segment that was sealed.
        rows: all rows sealed so far, under any identity.
    """

    identity: str
    sequence: int
    rows: int


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that retention is about to remove from the table.

    Attributes:
        until: they arrived at this time or before; ISO 8601, UTC.
        rows: how many of each stream, ``<slice>/<stream>``.
    """

    until: str
    rows: dict[str, int]


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What one sealer has sealed and removed.

    Attributes:
        format: the version of this file's format.
        version: the newest commit of the table that is on disk with all that it names; -1: none.
        checkpoint: the newest checkpoint of the table that is on disk; -1: none.
        streams: what was sealed, by ``<slice>/<stream>``.
        removed: rows that retention removed, by stream; of other sealers' streams too.
        removing: a removal that was begun.
        lost: rows that were missing when ``gnomon log repair`` took note of it, by stream.
    """

    format: int = FORMAT
    version: int = -1
    checkpoint: int = -1
    streams: dict[str, SealedStream] = {}
    removed: dict[str, int] = {}
    removing: Removal | None = None
    lost: dict[str, int] = {}


class SealedRows(NamedTuple):
    """Rows of a stream that the table must have, but for those known to be lost."""

    rows: int
    lost: int

    def missing(self, found: int) -> int:
        """How many are missing beyond those, if the table has ``found``; negative: too many."""
        return self.rows - self.lost - found


def read_ledgers(storage: Storage, model: str) -> dict[str, Ledger]:
    """The ledgers of every spool of a model, by the spool's identity.

    Raises:
        LogError: one of them is damaged, or of a newer format.
    """
    found = {}
    for name in storage.names(f"sealed/{model}"):
        content = storage.read(name)
        if content is not None:
            spool = name.rpartition("/")[2].removesuffix(".json")
            found[spool] = formats.decode(content, Ledger, _FORMAT, name)
    return found


def set_aside_damaged(storage: Storage, model: str) -> list[str]:
    """Move damaged ledgers out of the way; where they are then. A newer format is no damage.

    Raises:
        LogError: a ledger is of a newer format.
    """
    moved = []
    for name in storage.names(f"sealed/{model}"):
        content = storage.read(name)
        try:
            formats.decode(content or b"", Ledger, _FORMAT, name)
        except NewerLog:
            raise
        except LogError:
            place = f"damaged/{name}"
            storage.write(place, content or b"")
            storage.remove(name)
            moved.append(place)
    return moved


def write_ledger(storage: Storage, model: str, spool: str, ledger: Ledger) -> None:
    """Write a spool's ledger; it is on disk when this returns. Only its sealer may."""
    storage.write(f"sealed/{model}/{spool}.json", msgspec.json.encode(ledger))


def sealed_rows(ledgers: Iterable[Ledger]) -> dict[str, SealedRows]:
    """How many rows of each stream were sealed and not removed since, and how many are lost."""
    ledgers = list(ledgers)
    streams = sorted({stream for ledger in ledgers for stream in ledger.streams})
    return {stream: _rows(ledgers, stream) for stream in streams}


def _rows(ledgers: Iterable[Ledger], stream: str) -> SealedRows:
    rows = lost = 0
    for ledger in ledgers:
        sealed = ledger.streams.get(stream)
        rows += (0 if sealed is None else sealed.rows) - ledger.removed.get(stream, 0)
        lost += ledger.lost.get(stream, 0)
    return SealedRows(rows, lost)
