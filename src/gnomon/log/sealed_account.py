"""The sealer's account: sealed rows are first on disk, then in the ledger, then removed."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from gnomon.errors import LogError
from gnomon.log.ledger import Ledger, Removal, SealedStream, sealed_rows
from gnomon.log.segments.layout import Position, Segment, stream_segments
from gnomon.log.segments.tail import SegmentReader
from gnomon.log.table.commits import (
    has_commits,
    newest_checkpoint,
    sync_checkpoint,
    sync_commits,
    take_back_torn,
)
from gnomon.log.table.delta import found_key, sealed_segment, sealed_up_to, stream_key
from gnomon.log.table.log_table import LogTable, check_not_lost
from gnomon.log.table.maintenance import TableMaintenance

__all__ = ["Counted", "SealedAccount"]


class Counted(NamedTuple):
    """A segment that was read completely, and the number of its rows."""

    reader: SegmentReader
    rows: int


class SealedAccount:
    """The account that keeps one spool's ledger in step with the table, and the table on disk.

    Args:
        table: the model's.
    """

    def __init__(self, table: LogTable) -> None:
        self._table = table
        self._spool = ""
        self._ledger = Ledger()

    def open(self, spool: str) -> None:
        """Read the ledger of a spool, once, after undoing commits that a power failure tore.

        Raises:
            LogError: a ledger is damaged, or the disk refuses.
        """
        if self._spool == spool:
            return
        ledgers = self._table.ledgers()
        folder = self._table.folder
        if folder is not None:
            with self._on_disk():
                take_back_torn(
                    folder,
                    version=max((ledger.version for ledger in ledgers.values()), default=-1),
                    checkpoint=max((ledger.checkpoint for ledger in ledgers.values()), default=-1),
                )
        self._ledger = ledgers.get(spool) or self._begun()
        self._spool = spool
        self._write(self._ledger)  # Also if only its copy in the spool was left.
        if self._ledger.removing is not None:
            self._finish_removal(self._ledger.removing)

    def _begun(self) -> Ledger:
        """Return a first ledger; a table that already exists is taken as it is."""
        folder, table = self._table.folder, self._table.load()
        if folder is None or table is None:
            return Ledger()
        os.sync()
        return Ledger(version=int(table.version()), checkpoint=newest_checkpoint(folder))

    def check(self) -> None:
        """Check that the table has all segments that were sealed here.

        Raises:
            LogError: the table has lost commits.
        """
        check_not_lost(self._table.load(), [self._ledger], self._table.uri)

    def check_there(self) -> None:
        """Check that there is a table if anything was sealed.

        This checks only a local folder, where it is cheap; a bucket is checked when there is
        something to seal.

        Raises:
            LogError: the table is gone.
        """
        folder = self._table.folder
        if folder is not None and not has_commits(folder):
            check_not_lost(None, [self._ledger], self._table.uri)

    def begin(self, stream: Mapping[bytes, bytes], there: Collection[int]) -> None:
        """Prepare to seal segments of a stream.

        Args:
            stream: the metadata of its segments.
            there: the numbers of the segments that are in the spool.

        Raises:
            LogError: the table has lost commits, cannot be read, or is ahead of the ledger.
        """
        table = self._table.load()
        check_not_lost(table, [self._ledger], self._table.uri)
        name, identity = _names(stream)
        known = self._ledger.streams.get(name)
        if known is None:
            rows = self._rows_of_earlier_releases(name)
            reached = sealed_up_to(table, stream)
            self._note(name, SealedStream(identity=identity, sequence=reached, rows=rows))
            return
        ahead = known.ahead(identity, sealed_up_to(table, stream))
        is_known = identity == known.identity or identity in known.earlier
        if is_known and not ahead <= set(there):
            raise _behind(name, self._table.uri)
        self._note(name, known.continued(identity))

    def add(self, group: Sequence[Counted]) -> None:
        """Record segments of one stream that are now in the table, after forcing them to disk.

        Raises:
            LogError: the disk refuses, or a file of the table is damaged.
        """
        self.settle()
        name, identity = _names(group[0].reader.schema.metadata)
        known = self._ledger.streams[name]
        fresh = [one for one in group if one.reader.sequence > known.sequence]
        rows = known.rows + sum(one.rows for one in fresh)
        last = max(known.sequence, group[-1].reader.sequence)
        empty = tuple(number for number in known.empty if number > last)
        self._note(name, replace(known, identity=identity, sequence=last, rows=rows, empty=empty))
        self._write(self._ledger)

    def pass_over(self, empty: Counted) -> None:
        """Record a segment without rows: its file goes, and it must not be missed after a crash.

        Raises:
            LogError: the disk refuses.
        """
        name, identity = _names(empty.reader.schema.metadata)
        known = self._ledger.streams.get(name)
        if known is not None and empty.reader.sequence > known.up_to(identity):
            known = known.continued(identity)
            self._note(
                name, replace(known, empty=tuple(sorted({*known.empty, empty.reader.sequence})))
            )
            self._write(self._ledger)

    def settle(self) -> None:
        """Force the table's commits to disk, and record the newest.

        Raises:
            LogError: the disk refuses, or a file of the table is damaged.
        """
        folder = self._table.folder
        if folder is not None:
            with self._on_disk():
                version = sync_commits(folder, self._ledger.version)
            self._write(replace(self._ledger, version=max(version, self._ledger.version)))

    def note_checkpoint(self, version: int) -> None:
        """Force a checkpoint to disk, and record it.

        Raises:
            LogError: the disk refuses.
        """
        if self._table.folder is not None:
            with self._on_disk():
                sync_checkpoint(self._table.folder)
        self._write(replace(self._ledger, checkpoint=version))

    def begin_removal(self, until: dt.datetime, rows: Mapping[str, int]) -> None:
        """Record which rows retention is about to remove, so that they are known after a crash."""
        removing = Removal(until=until.isoformat(), rows=dict(rows))
        self._write(replace(self._ledger, removing=removing))

    def end_removal(self) -> None:
        """Record that the rows are removed."""
        assert self._ledger.removing is not None
        removed = dict(self._ledger.removed)
        for stream, rows in self._ledger.removing.rows.items():
            removed[stream] = removed.get(stream, 0) + rows
        until = max(_times([self._ledger.removed_until, self._ledger.removing.until])).isoformat()
        self._write(replace(self._ledger, removed=removed, removed_until=until, removing=None))

    def sealed_up_to(self, key: str) -> int:
        """Return the last segment in ledger or table of the stream with a key; -1 for none.

        Raises:
            LogError: the table cannot be read.
        """
        table = self._table.load()
        return max(self.noted_up_to(key), -1 if table is None else sealed_segment(table, key))

    def noted_up_to(self, key: str) -> int:
        """Return the last segment in the ledger of the stream with a key; -1 for none."""
        name, _, identity = key.rpartition("/")
        known = self._ledger.streams.get(name)
        return -1 if known is None else known.up_to(identity)

    @property
    def removed_until(self) -> dt.datetime | None:
        """Retention removed the rows that arrived at or before this time; None: it removed none."""
        ledgers = [*self._others(), self._ledger]
        return max(_times(ledger.removed_until for ledger in ledgers), default=None)

    def has_lost(self, stream: Path) -> bool:
        """Whether rows of a stream that were sealed are recorded as lost."""
        return f"{stream.parent.name}/{stream.name}" in self._ledger.lost

    def was_found(self, segment: SegmentReader) -> bool:
        """Whether repair found a segment in another place and added its rows to the table."""
        key = found_key(segment.schema.metadata)
        return key is not None and segment.sequence <= self.noted_up_to(key)

    def missing(self) -> dict[str, int]:
        """Count the rows of each stream of this spool that the table should have but lacks.

        If rows that are recorded as lost are there again, their number is negative.

        Raises:
            LogError: the table cannot be read.
        """
        found = self._table.rows()
        expected = sealed_rows(self._table.ledgers().values())
        counted = {
            name: max(expected[name].missing(found.get(name, 0)), -self._ledger.lost.get(name, 0))
            for name in self._ledger.streams
        }
        return {name: rows for name, rows in counted.items() if rows}

    def restorable(self) -> dict[str, int]:
        """Count the rows of each stream that may still be in files which no commit names.

        These are those that the table lacks, including those that are recorded as lost.

        Raises:
            LogError: the table cannot be read.
        """
        missing = self.missing()
        return {
            name: missing.get(name, 0) + self._ledger.lost.get(name, 0)
            for name in self._ledger.streams
            if missing.get(name, 0) + self._ledger.lost.get(name, 0)
        }

    def sealed_rows_of(self, rows: pa.Table, spool: Path) -> pa.Table:
        """Return the rows of a file that were sealed from this spool and that retention keeps.

        Args:
            rows: the rows of a data file that no commit names: of a commit that was lost, or of one
                that was never made.
            spool: the model's segments: those that were not sealed are there.
        """
        if (removed := self.removed_until) is not None:
            rows = rows.filter(pc.field("arrived") > pa.scalar(removed))
        kept = [
            rows.filter(
                (pc.field("slice") == name.partition("/")[0])
                & (pc.field("stream") == name.partition("/")[2])
                & _is_sealed(sealed, spool / name)
            )
            for name, sealed in self._ledger.streams.items()
        ]
        return pa.concat_tables([rows.slice(0, 0), *kept])

    def recount(self, spool: Path) -> list[str]:
        """Recount the streams whose ledger is older than the table; return which.

        Args:
            spool: the model's segments; those that only the table has may still be there.

        Raises:
            LogError: the table cannot be read.
        """
        table, rows = self._table.load(), self._table.rows()
        counted = []
        for name, sealed in self._ledger.streams.items():
            reached = -1 if table is None else sealed_segment(table, f"{name}/{sealed.identity}")
            there = {segment.sequence for segment in stream_segments(spool / name)}
            if not sealed.ahead(sealed.identity, reached) <= there:
                sealed = replace(sealed, empty=())
                self._note(name, replace(sealed, sequence=reached, rows=0))
                others = sealed_rows([*self._others(), self._ledger])[name]
                self._note(
                    name, replace(sealed, sequence=reached, rows=others.missing(rows[name]) * -1)
                )
                counted.append(name)
        self._write(self._ledger)
        return counted

    def _others(self) -> list[Ledger]:
        return [one for spool, one in self._table.ledgers().items() if spool != self._spool]

    def accept_losses(self, *, is_new: bool = False) -> dict[str, int]:
        """Record rows that the table lacks as lost, so that sealing continues; return their counts.

        Args:
            is_new: the table was created again, and has other commits than the ledger knows.

        Raises:
            LogError: the table cannot be read or written.
        """
        missing = self.missing()
        for name, sealed in self._ledger.streams.items():
            for identity, last in {**sealed.earlier, sealed.identity: sealed.sequence}.items():
                TableMaintenance(self._table).mark_sealed(f"{name}/{identity}", last)
        if missing or is_new:
            begun = self._begun()
            self._ledger = replace(self._ledger, version=begun.version, checkpoint=begun.checkpoint)
        self.settle()
        lost = dict(self._ledger.lost)
        for name, rows in missing.items():
            lost[name] = lost.get(name, 0) + rows
        self._write(replace(self._ledger, lost={name: rows for name, rows in lost.items() if rows}))
        return {name: rows for name, rows in missing.items() if rows > 0}

    def _finish_removal(self, removing: Removal) -> None:
        """Finish a removal that a crash interrupted: rows still in the table were not removed."""
        until = dt.datetime.fromisoformat(removing.until)
        if self._table.rows(pc.field("arrived") <= pa.scalar(until)):
            self._write(replace(self._ledger, removing=None))
        else:
            self.end_removal()

    def _rows_of_earlier_releases(self, stream: str) -> int:
        """Count the rows of a stream that are in the table but in no ledger."""
        known = sealed_rows(self._table.ledgers().values()).get(stream)
        return self._table.rows().get(stream, 0) - (known.rows - known.lost if known else 0)

    def _note(self, name: str, stream: SealedStream) -> None:
        self._ledger = replace(self._ledger, streams={**self._ledger.streams, name: stream})

    def _write(self, ledger: Ledger) -> None:
        self._table.write_ledger(self._spool, ledger)
        self._ledger = ledger

    @contextlib.contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LogError(
                f"cannot force the sealed log to disk: {error.strerror}", where=self._table.uri
            ) from None


def _is_sealed(sealed: SealedStream, stream: Path) -> pc.Expression:
    """Return the condition for rows that were sealed, from this folder or an earlier one."""
    number = pc.field("segment")
    last = max([sealed.sequence, *sealed.earlier.values()])
    waiting = {
        request_id
        for segment in stream_segments(stream)
        if sealed.sequence < segment.sequence <= last
        for request_id in _request_ids(segment)
    }
    is_waiting = pc.field("request_id").isin(pa.array([*waiting], pa.string()))
    is_earlier = (number <= Position(last, 0).segment) & ~is_waiting
    return (number <= Position(sealed.sequence, 0).segment) | is_earlier


def _request_ids(segment: Segment) -> Iterator[str]:
    with SegmentReader(segment.path, segment.closed) as reader:
        for _, batch in reader.batches():
            yield from batch.column("request_id").to_pylist()


def _names(stream: Mapping[bytes, bytes]) -> tuple[str, str]:
    """Return ``<slice>/<stream>`` and the identity of the stream's folder."""
    name, _, identity = stream_key(stream).rpartition("/")
    return name, identity


def _behind(stream: str, where: str) -> LogError:
    return LogError(
        f"the ledger of {stream} is older than the table, as if it had been restored from a backup",
        where=where,
        hint="gnomon log repair counts its rows again",
    )


def _times(texts: Iterable[str | None]) -> list[dt.datetime]:
    return [dt.datetime.fromisoformat(text) for text in texts if text is not None]
