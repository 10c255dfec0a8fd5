"""Ledgers of what was sealed, kept outside the table, to check the table against.

``sealed/<model>/<spool>.json`` under the storage root is written by the only sealer of a spool. It
is written after the rows it counts are on disk in the table, and before their segments are removed.
Rows that only the table has are still in the spool too; rows that the table lacks are lost.

A copy, ``sealed-<spool>.json``, is in the spool itself, which may be on another disk. So what was
sealed is known even when the complete storage root is lost, not mounted, or an older version.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from gnomon import files, formats
from gnomon.errors import LogError, NewerLog
from gnomon.storage import Storage

__all__ = [
    "FORMAT",
    "FOUND",
    "Ledger",
    "Removal",
    "SealedStream",
    "has_copies",
    "read_ledgers",
    "sealed_in_copy",
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
_COPY = "sealed-"
FOUND = "."
"""Between the identity of a folder and the mark of a segment of it that was found elsewhere."""

_logger = logging.getLogger("gnomon.seal")


class SealedStream(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a stream was sealed.

    Attributes:
        identity: of the stream's folder; in a new folder segment numbers start again at 0.
        sequence: the number of the last segment that was sealed.
        rows: all rows sealed so far, under any identity.
        begun: how many folders the stream had. Rows of an earlier folder that were not sealed are
            lost.
        earlier: the last segment that was sealed of each other folder, by its identity: segments of
            it may be found again.
        empty: later segments of the folder that had no rows, and whose files were removed.
    """

    identity: str
    sequence: int
    rows: int
    begun: int = 1
    earlier: dict[str, int] = {}
    empty: tuple[int, ...] = ()

    def ahead(self, identity: str, reached: int) -> set[int]:
        """Return the segments with rows that only the table has: their files are still there.

        Args:
            identity: of the folder.
            reached: the last of its segments in the table.
        """
        empty = self.empty if identity == self.identity else ()
        return set(range(self.up_to(identity) + 1, reached + 1)).difference(empty)

    def up_to(self, identity: str) -> int:
        """Return the last segment that was sealed of the folder with an identity; -1 for none."""
        return self.sequence if identity == self.identity else self.earlier.get(identity, -1)

    def continued(self, identity: str) -> SealedStream:
        """Return this for the next segments, which are of the folder with an identity."""
        if identity == self.identity:
            return self
        last = self.sequence
        while last + 1 in self.empty:
            last += 1
        known = {**self.earlier, self.identity: last}
        return msgspec.structs.replace(
            self,
            identity=identity,
            sequence=known.pop(identity, -1),
            begun=self.begun + (identity not in self.earlier and FOUND not in identity),
            earlier=known,
            empty=(),
        )


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that retention is about to remove from the table.

    Attributes:
        until: the rows arrived at or before this time; ISO 8601, UTC.
        rows: how many rows of each stream, ``<slice>/<stream>``.
    """

    until: str
    rows: dict[str, int]


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What one sealer has sealed and removed.

    Attributes:
        format: the version of this file's format.
        version: the newest commit of the table that is on disk with all files it names; -1: none.
        checkpoint: the newest checkpoint of the table that is on disk; -1: none.
        streams: what was sealed, by ``<slice>/<stream>``.
        removed: rows that retention removed, by stream, also of other sealers' streams.
        removed_until: the removed rows arrived at or before this time; ISO 8601, UTC. None before
            the first removal, and in ledgers of earlier releases.
        removing: a removal that has begun.
        lost: rows that ``gnomon log repair`` found missing, by stream.
    """

    format: int = FORMAT
    version: int = -1
    checkpoint: int = -1
    streams: dict[str, SealedStream] = {}
    removed: dict[str, int] = {}
    removed_until: str | None = None
    removing: Removal | None = None
    lost: dict[str, int] = {}

    def is_newer_than(self, other: Ledger) -> bool:
        """Return whether this copy of a ledger is newer than another of the same spool."""
        return self._reached > other._reached

    @property
    def _reached(self) -> tuple[int, ...]:
        """Counters that only grow: only repair lowers one, and then it raises another."""
        sealed = sum(stream.rows for stream in self.streams.values())
        return sealed, sum(self.removed.values()), sum(self.lost.values()), self.version


class SealedRows(NamedTuple):
    """How many rows of a stream the table must have, except ``lost`` ones.

    ``begun`` is how many folders the stream had; all but one are gone.
    """

    rows: int
    lost: int
    begun: int = 1

    def missing(self, found: int) -> int:
        """Return how many more are missing if the table has ``found``; negative: too many."""
        return self.rows - self.lost - found


def read_ledgers(storage: Storage, model: str, spool: Path | None) -> dict[str, Ledger]:
    """Return the ledgers of every spool of a model, by the spool's identity.

    Args:
        storage: the storage root.
        model: the deployment's model name.
        spool: the model's segments, if they are on this machine. A copy there counts if it is newer
            than the ledger in the storage root.

    Raises:
        LogError: one of them is damaged, or of a newer format.
    """
    found = {}
    for name in storage.names(f"sealed/{model}"):
        content = storage.read(name)
        if content is not None:
            identity = name.rpartition("/")[2].removesuffix(".json")
            found[identity] = formats.decode(content, Ledger, _FORMAT, name)
    for path in _copies(spool):
        copy = _read_copy(path)
        identity = path.stem.removeprefix(_COPY)
        if copy is not None and copy.is_newer_than(found.get(identity, Ledger())):
            found[identity] = copy
    return found


def sealed_in_copy(spool: Path, stream: str, identity: str) -> int:
    """Return the last sealed segment of a stream according to the copy in the spool; -1: none.

    Args:
        spool: the model's segments.
        stream: ``<slice>/<stream>``.
        identity: of the stream's folder.
    """
    reached = -1
    for path in _copies(spool):
        with contextlib.suppress(LogError):  # The sealer reports it.
            copy = _read_copy(path)
            sealed = None if copy is None else copy.streams.get(stream)
            if sealed is not None:
                reached = max(reached, sealed.up_to(identity))
    return reached


def has_copies(spool: Path) -> bool:
    """Return whether a model's spool has a copy of a ledger, so that something was sealed."""
    return bool(_copies(spool))


def set_aside_damaged(storage: Storage, model: str, spool: Path | None) -> list[str]:
    """Move damaged ledgers aside; return their new names. A newer format is not damage.

    Raises:
        LogError: a ledger is of a newer format.
    """
    moved = []
    for name in storage.names(f"sealed/{model}"):
        content = storage.read(name)
        if content is not None and _is_damaged(content, name):
            moved.append(f"damaged/{name}")
            storage.write(moved[-1], content)
            storage.remove(name)
    for path in _copies(spool):
        content = path.read_bytes()
        if _is_damaged(content, str(path)):
            moved.append(f"damaged/sealed/{model}/{path.name}")
            storage.write(moved[-1], content)
            files.remove(path)
    return moved


def write_ledger(
    storage: Storage, model: str, identity: str, ledger: Ledger, spool: Path | None
) -> None:
    """Write a spool's ledger; it is on disk when this returns. Only its sealer may do this.

    If the spool is full and cannot take its copy, sealing continues: it makes room.

    Raises:
        StorageError: the storage root refuses.
    """
    content = msgspec.json.encode(ledger)
    storage.write(f"sealed/{model}/{identity}.json", content)
    if spool is not None:
        try:
            files.replace(spool / f"{_COPY}{identity}.json", content)
        except OSError as error:
            _logger.warning("cannot copy the ledger to %s: %s", spool, error.strerror)


def _copies(spool: Path | None) -> list[Path]:
    return [] if spool is None else sorted(spool.glob(f"{_COPY}*.json"))


def _read_copy(path: Path) -> Ledger | None:
    try:
        return formats.read(path, Ledger, _FORMAT)
    except OSError as error:
        raise LogError(f"cannot read this ledger: {error.strerror}", where=str(path)) from None


def _is_damaged(content: bytes, name: str) -> bool:
    try:
        formats.decode(content, Ledger, _FORMAT, name)
    except NewerLog:
        raise
    except LogError:
        return True
    return False


def sealed_rows(ledgers: Iterable[Ledger]) -> dict[str, SealedRows]:
    """Return how many rows of each stream were sealed and not removed, and how many are lost."""
    ledgers = list(ledgers)
    streams = sorted({stream for ledger in ledgers for stream in ledger.streams})
    return {stream: _rows(ledgers, stream) for stream in streams}


def _rows(ledgers: Iterable[Ledger], stream: str) -> SealedRows:
    rows = lost = begun = 0
    for ledger in ledgers:
        sealed = ledger.streams.get(stream)
        if sealed is not None:
            rows += sealed.rows
            begun += sealed.begun
        rows -= ledger.removed.get(stream, 0)
        lost += ledger.lost.get(stream, 0)
    return SealedRows(rows, lost, begun)
