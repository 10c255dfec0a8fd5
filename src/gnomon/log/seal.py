"""The sealer: moves closed segments into the table, and keeps the table within its limits.

It is a separate process, ``python -m gnomon.log.seal --model M --parent-socket FD``, that ends when
the other end of the descriptor is closed. Several may run; only one at a time works on a model's
spool.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import itertools
import logging
import os
import select
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.errors import GnomonError, LogError, LogUnavailable
from gnomon.log.forked_work import in_fork
from gnomon.log.lost_ranges import lost_ranges
from gnomon.log.sealed_account import Counted, SealedAccount
from gnomon.log.segments.layout import (
    REQUESTS,
    START,
    STOPPED,
    Position,
    Segment,
    StreamBusy,
    StreamLock,
    folders,
    stream_segments,
)
from gnomon.log.segments.missing_segments import MissingSegment, missing_segments
from gnomon.log.segments.recovery import recover
from gnomon.log.segments.tail import SegmentReader, read_position
from gnomon.log.segments.unlisted_segments import UnlistedSegment, unlisted_segments
from gnomon.log.spool_owner import check_owner
from gnomon.log.table.delta import stream_key
from gnomon.log.table.log_table import LogTable
from gnomon.log.table.maintenance import TableMaintenance
from gnomon.log.table.retention import removal_time
from gnomon.log.table.sealed_segments import has_all_rows
from gnomon.settings import Settings
from gnomon.worker.background import enter_background
from gnomon.worker.spawn import inherited

__all__ = ["Sealer", "main"]

_PERIOD = 2.0
_MAINTENANCE_SECONDS = 900.0
_MAINTENANCE_COMMITS = 20
_COMMIT_BYTES = 256 * 1024 * 1024
_SEGMENTS_AT_ONCE = 64
_NICENESS = 10

_logger = logging.getLogger("gnomon.seal")


class LostSegment(LogError):
    """A segment that was counted as lost is there again."""

    @classmethod
    def of(cls, reader: SegmentReader) -> LostSegment:
        """Return the error that names the segment."""
        return cls(
            "this segment was counted as lost and is there again; it has rows that the log lacks",
            where=str(reader.path),
            hint="gnomon log repair adds them",
        )


class FoundSegment(LogError):
    """A segment that repair found elsewhere, and sealed, was put into its place."""

    @classmethod
    def of(cls, reader: SegmentReader) -> FoundSegment:
        """Return the error that names the segment."""
        return cls(
            "the rows of this segment are in the sealed log: repair found them elsewhere before it "
            "was put here",
            where=str(reader.path),
            hint="gnomon log repair moves it aside",
        )


class RoundResult(msgspec.Struct, frozen=True):
    """The result of one round of a sealer.

    Attributes:
        commits: how many were made since the last maintenance.
        maintained: the time of the last maintenance, by ``time.monotonic``.
        error: what went wrong, if anything.
        ours: whether the spool is known to belong to this storage root.
    """

    commits: int
    maintained: float
    error: str | None
    ours: bool


class Sealer:
    """Seals one model's spool.

    A segment goes through these states: only in the spool; in the table too; in the table and on
    disk; in the ledger; removed from the spool. After a crash or a power failure between two of
    them, the next ``seal`` completes the work.

    Args:
        settings: the settings, with the spool and the storage root.
        model: the model whose spool to seal.
        wait: seconds to wait for another sealer that is at work; None: leave the work to it.
    """

    def __init__(self, settings: Settings, model: str, *, wait: float | None = None) -> None:
        self._wait = wait
        self._settings = settings
        self._spool = settings.spool_path / model
        self._table = LogTable(settings, model)
        self._maintenance = TableMaintenance(self._table)
        self._account = SealedAccount(self._table)
        self._commits = 0
        self._maintained = time.monotonic()
        self._ours = False

    def seal(self) -> int:
        """Seal every closed segment that no shadow has yet to read; return how many.

        A slice's requests stay unsealed until all its running shadows have read them, up to
        ``GNOMON_SPOOL_BYTES``. A stream that cannot be sealed does not delay the others.

        Raises:
            LogError: a segment is damaged, or the table has lost rows or cannot be reached.
            LogUnavailable: the spool belongs to another storage root, another sealer does not
                finish, or the disk refuses.
        """
        sealed, errors = 0, []
        with self._alone() as alone:
            if alone:
                self._account.check_there()
            for stream in self._streams() if alone else ():
                try:
                    while moved := self._seal_stream(stream):
                        sealed += moved
                except (LogError, LogUnavailable) as error:
                    errors.append(error)
        for other in errors[1:]:
            _logger.error("%s", other)
        if errors:
            raise errors[0]
        return sealed

    def maintain(self) -> None:
        """Compact the table and remove rows that the retention settings do not keep.

        Raises:
            LogError: the table has lost rows, or cannot be reached.
        """
        with self._alone() as alone:
            if alone:
                self._account.check()
            if alone and self._table.load() is not None:
                self._remove_old()
                self._maintenance.compact()
                self._account.settle()
                self._account.note_checkpoint(self._maintenance.checkpoint())
                self._maintenance.free()
                self._account.settle()
        self._commits = 0
        self._maintained = time.monotonic()

    def work(self) -> RoundResult:
        """Seal, and maintain when that is due; the result contains any error."""
        error = None
        try:
            self.seal()
            if self.needs_maintenance:
                self.maintain()
        except (GnomonError, OSError) as found:
            error = str(found)
        return RoundResult(self._commits, self._maintained, error, self._ours)

    def go_on(self, after: RoundResult) -> None:
        """Take over the result of work that was done in another process."""
        self._commits, self._maintained = after.commits, after.maintained
        self._ours = after.ours

    @property
    def needs_maintenance(self) -> bool:
        """Whether there were many commits, or the last maintenance was long ago."""
        age = time.monotonic() - self._maintained
        return self._commits >= _MAINTENANCE_COMMITS or age >= _MAINTENANCE_SECONDS

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Yield whether this is the only sealer at work on the spool; then its ledger is open."""
        with only_sealer(self._spool, self._wait or 0.0) as identity:
            if identity is None and self._wait is not None and self._spool.is_dir():
                raise LogUnavailable(
                    f"another sealer has been at work on this log for {self._wait:g} s",
                    where=str(self._spool),
                    hint="if it is a server's sealer, gnomon status shows its state",
                )
            if identity is not None:
                if not self._ours:
                    check_owner(self._settings, self._spool.name)
                    self._ours = True
                self._account.open(identity)
            yield identity is not None

    def _streams(self) -> Iterator[Path]:
        for slice_folder in folders(self._spool):
            yield from folders(slice_folder)

    def _seal_stream(self, folder: Path) -> int:
        recover(folder)
        unlisted = self._unlisted(folder)
        segments = stream_segments(folder)[:-1]
        there = {segment.sequence for segment in segments}
        if folder.name == REQUESTS:
            segments = _due(segments, folder.parent, self._settings.spool_bytes)
        segments = [*itertools.takewhile(lambda s: s.closed is not None, segments)]
        gone = self._missing(folder)
        segments = [s for s in segments if not gone or s.sequence < gone[0].sequence]
        segments = segments[:_SEGMENTS_AT_ONCE]
        with contextlib.ExitStack() as opened:
            whole, damage = _whole(opened, segments)
            for reader, rows in whole:
                if self._account.was_found(reader):
                    raise FoundSegment.of(reader)
                key = stream_key(reader.schema.metadata)
                if rows and reader.sequence <= self._account.noted_up_to(key):
                    self._check_not_lost(reader)
            for group in _groups([counted for counted in whole if counted.rows]):
                self._account.begin(group[0].reader.schema.metadata, there)
                self._commits += self._table.add([counted.reader for counted in group])
                self._account.add(group)
        for counted in whole:
            if not counted.rows:
                self._account.pass_over(counted)
            counted.reader.path.unlink()
        if damage is not None:
            raise damage
        if gone and not whole:
            raise MissingSegment.of(gone[0])
        if unlisted is not None and not whole:
            raise UnlistedSegment.of(unlisted)
        return len(whole)

    def _unlisted(self, folder: Path) -> Segment | None:
        """Remove unlisted segments that the table has, and return the first that it does not have.

        Raises:
            LogError: one is damaged, belongs elsewhere, was counted as lost or was found elsewhere
                before, or the table cannot be read.
        """
        for segment in unlisted_segments(stream_segments(folder)):
            with SegmentReader(segment.path) as reader:
                if self._account.was_found(reader):
                    raise FoundSegment.of(reader)
                key = stream_key(reader.schema.metadata)
                if segment.sequence > self._account.sealed_up_to(key):
                    return segment
                self._check_not_lost(reader)
            segment.path.unlink()
        return None

    def _check_not_lost(self, reader: SegmentReader) -> None:
        """Check that a segment to be removed as sealed is not one that was counted as lost.

        Raises:
            LostSegment: it is, and was put back.
        """
        stream = reader.path.parent
        was_lost = any(lost.segment == reader.sequence for lost in lost_ranges(stream))
        if (was_lost or self._account.has_lost(stream)) and not has_all_rows(
            reader, self._table, self._account.removed_until
        ):
            raise LostSegment.of(reader)

    def _missing(self, folder: Path) -> list[Segment]:
        """Return the first missing segment of a stream; the table is read only if necessary."""
        if not missing_segments(folder, self._account.noted_up_to):
            return []
        return missing_segments(folder, self._account.sealed_up_to)[:1]

    def _remove_old(self) -> None:
        """Remove rows that the retention settings do not keep, and record how many."""
        until = removal_time(self._settings, self._table, dt.datetime.now(dt.UTC))
        if until is None:
            return
        rows = self._table.rows(pc.field("arrived") <= pa.scalar(until))
        if rows:
            self._account.begin_removal(until, rows)
            self._maintenance.remove(until)
            self._account.settle()
            self._account.end_removal()


def slowest_shadow(slice_folder: Path) -> Position | None:
    """Return how far all running shadows of a slice have read; ``None`` when none runs."""
    running = [
        folder
        for folder in slice_folder.glob("shadow-*")
        if folder.is_dir() and not (folder / STOPPED).exists()
    ]
    return min((read_position(folder) or START for folder in running), default=None)


def _due(segments: Sequence[Segment], slice_folder: Path, most: int) -> list[Segment]:
    """Return segments that every shadow has read, and the oldest ones over the size limit."""
    slowest = slowest_shadow(slice_folder)
    if slowest is None:
        return list(segments)
    sizes = [segment.path.stat().st_size for segment in segments]
    held = list(itertools.accumulate(reversed(sizes)))[::-1]
    return [
        segment
        for segment, size, bytes_from in zip(segments, sizes, held, strict=True)
        if Position(segment.sequence, size) <= slowest or (most and bytes_from > most)
    ]


def _whole(
    opened: contextlib.ExitStack, segments: Sequence[Segment]
) -> tuple[list[Counted], LogError | None]:
    """Return the segments before the first damaged one, each with its rows, and the damage.

    Later ones wait for it: the table keeps one number per stream, of its last segment there.
    """
    whole = []
    for segment in segments:
        try:
            reader = opened.enter_context(SegmentReader(segment.path, segment.closed))
            whole.append(Counted(reader, reader.verify()))
        except LogError as error:
            return whole, error
    return whole, None


def _groups(counted: Sequence[Counted]) -> Iterator[list[Counted]]:
    """Yield runs of segments of one stream and schema, each small enough for one commit."""
    group: list[Counted] = []
    for one in counted:
        reader = one.reader
        if group and not (
            reader.schema.equals(group[0].reader.schema)
            and stream_key(reader.schema.metadata) == stream_key(group[0].reader.schema.metadata)
            and sum(known.reader.size for known in group) + reader.size <= _COMMIT_BYTES
        ):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


@contextlib.contextmanager
def only_sealer(spool: Path, wait: float = 0.0) -> Iterator[str | None]:
    """Yield the spool's identity; None when another sealer is at work or there is no spool."""
    if not spool.is_dir():
        yield None
        return
    try:
        lock = StreamLock(spool, wait=wait, name="seal.lock")
    except StreamBusy:
        yield None
        return
    with contextlib.closing(lock):
        yield lock.identity


def main(arguments: Sequence[str] | None = None) -> None:
    """Seal until the parent socket closes."""
    parser = argparse.ArgumentParser(prog="python -m gnomon.log.seal", description=__doc__)
    parser.add_argument("--model", required=True, help="the model whose log to seal")
    parser.add_argument(
        "--parent-socket",
        type=inherited,
        required=True,
        help="a descriptor; the process ends when its other end closes",
    )
    given = parser.parse_args(arguments)
    settings = enter_background(niceness=_NICENESS)
    _run(Sealer(settings, given.model), given.parent_socket)


def _run(sealer: Sealer, parent_socket: int) -> None:
    complaint: str | None = None

    def report() -> None:
        with contextlib.suppress(OSError):
            os.write(parent_socket, msgspec.json.encode({"error": complaint}) + b"\n")

    while True:
        done = in_fork(lambda: msgspec.json.encode(sealer.work()), report)
        if done is None:
            error: str | None = "the sealing process ended before it finished; trying again"
        else:
            worked = msgspec.json.decode(done, type=RoundResult)
            sealer.go_on(worked)
            error = worked.error
        if error is not None and error != complaint:
            _logger.warning("%s", error)
        complaint = error
        report()
        if select.select([parent_socket], [], [], _PERIOD)[0]:
            return


if __name__ == "__main__":
    main()
