"""``gnomon log repair``: move damaged parts of a log aside, and report what is lost.

Nothing is deleted. Rows that can still be read stay in the log; lost rows are recorded, so that the
accounts report them as lost instead of missing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from gnomon.errors import LogError, LogUnavailable
from gnomon.log.ledger import set_aside_damaged
from gnomon.log.repair.longer_segments import correct_sizes
from gnomon.log.repair.misplaced_segments import (
    PlacedSegments,
    place,
    put_back_folders,
    seal_rest,
    set_aside_found,
    set_aside_misplaced,
)
from gnomon.log.repair.salvage import SalvagedSegment, salvage
from gnomon.log.repair.table_repair import RepairedTable, repair_table
from gnomon.log.repair.unreadable_segment import record_all_lost
from gnomon.log.seal import only_sealer
from gnomon.log.sealed_account import SealedAccount
from gnomon.log.segments import closed_segments
from gnomon.log.segments.layout import (
    Segment,
    StreamBusy,
    StreamLock,
    folders,
    stream_identity,
    stream_segments,
    synced_position,
)
from gnomon.log.segments.missing_segments import missing_segments
from gnomon.log.segments.recovery import close_segments, recover
from gnomon.log.segments.tail import EmptySegment, SegmentReader
from gnomon.log.segments.unlisted_segments import UnlistedSegment, unlisted_segments
from gnomon.log.spool_owner import (
    check_repairable,
    restore_identity,
    set_aside_damaged_identity,
)
from gnomon.log.table.log_table import LogTable
from gnomon.settings import Settings

__all__ = ["Repair", "repair"]

_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Repair:
    """What a repair found and did.

    Attributes:
        segments: damaged segments that were set aside and replaced.
        missing: segments whose files are gone, with their bytes.
        returned: segments, and folders of streams, that were found in another place and are in
            their own again.
        misplaced: where other segments are now that were not in the place they were written for.
            Their rows are in the log: they are copies.
        sealed: rows of an earlier folder of a stream, or after the sealed ones of a segment, that
            were found and are in the table now, by the path of the segment.
        unread: found segments whose rows are nowhere else and could not be added to the log, with
            the reason.
        lists: lists of closed segments, ledgers and identities of the storage root, which were
            damaged, or had a size that is not the segment's, and were set aside and rebuilt.
        table: what was wrong with the sealed table; None if nothing was.
    """

    segments: tuple[SalvagedSegment, ...] = ()
    missing: Mapping[str, int] = dataclasses.field(default_factory=dict)
    returned: tuple[str, ...] = ()
    misplaced: tuple[str, ...] = ()
    sealed: Mapping[str, int] = dataclasses.field(default_factory=dict)
    unread: Mapping[str, str] = dataclasses.field(default_factory=dict)
    lists: tuple[str, ...] = ()
    table: RepairedTable | None = None

    @property
    def lost_rows(self) -> bool:
        """Whether there are rows that can no longer be read."""
        damaged = any(one.lost for one in self.segments)
        return bool(damaged or self.missing or self.unread or (self.table and self.table.lost))

    @property
    def is_whole(self) -> bool:
        """Whether nothing was damaged."""
        found = (self.segments, self.missing, self.returned, self.misplaced, self.lists, self.table)
        return not any((*found, self.sealed, self.unread))


def repair(settings: Settings, model: str) -> Repair:
    """Move damaged parts of a model's log aside, and record what is lost.

    A server may run meanwhile, except in one case, which the error names.

    Raises:
        LogError: the damage is of a kind that cannot be repaired; it says what to do.
        LogUnavailable: a sealer is at work and does not finish, the spool belongs to another
            storage root, or the disk refuses.
    """
    try:
        return _repaired(settings, model, settings.spool_path / model)
    except OSError as error:
        where = error.filename or settings.spool_path / model
        raise LogUnavailable.of("repair the log", error, where=str(where)) from None


def _repaired(settings: Settings, model: str, spool: Path) -> Repair:
    table = LogTable(settings, model)
    with _alone(spool) as identity:
        lists = set_aside_damaged_identity(settings, model)
        check_repairable(settings, model)
        moved = [*put_back_folders(spool)]
        lists += [*set_aside_damaged(table.storage, model, spool), *_rebuild_lists(spool)]
        _close_abandoned(spool)
        lists += correct_sizes([*_streams(spool)])
        misplaced = [str(one.path) for one in set_aside_misplaced([*_streams(spool)])]
        segments = [*_salvaged(spool, table)]
        account = SealedAccount(table)
        repaired = repair_table(table, account, identity, spool)
        placed = place(spool, table, account)
        found = seal_rest([*_streams(spool)], table, account)
        misplaced += set_aside_found([*_streams(spool)], account)
        segments += _salvaged(spool, table)  # Segments that were put back may be cut short.
        _check_listed(spool, account)
        missing: dict[str, int] = {}
        for segment in _missing(spool, account):
            missing[str(segment.path)] = size = segment.closed or 0
            record_all_lost(segment, size, table)
        restore_identity(settings, model)
    return Repair(
        segments=tuple(segments),
        missing=missing,
        returned=(*(str(there) for _, there in moved), *placed.returned),
        misplaced=tuple(path for path in misplaced if _is_copy(path, placed)),
        sealed={**placed.sealed, **found},
        unread=placed.unread,
        lists=tuple(lists),
        table=repaired,
    )


@contextlib.contextmanager
def _alone(spool: Path) -> Iterator[str]:
    """Wait until no sealer works on the spool; yield its identity."""
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        with only_sealer(spool) as identity:
            if identity is not None:
                yield identity
                return
        if not spool.is_dir():
            raise LogError("there is no log to repair on this machine", where=str(spool))
        if time.monotonic() > until:
            raise LogUnavailable("a sealer is running on this log", where=str(spool))
        time.sleep(_LOOK_SECONDS)


def _rebuild_lists(spool: Path) -> Iterator[str]:
    """Rebuild damaged lists of closed segments by reading the segments."""
    for stream in _streams(spool):
        try:
            closed_segments.closed_segments(stream)
        except LogError:
            with contextlib.closing(StreamLock(stream)) as lock:
                yield str(closed_segments.set_aside(stream))
                close_segments(stream, lock)


def _close_abandoned(spool: Path) -> None:
    """Close segments that no writer will close, so that they are checked too.

    An earlier repair that ended early may have set their list aside.
    """
    for stream in _streams(spool):
        if any(segment.closed is None for segment in stream_segments(stream)[:-1]):
            with contextlib.suppress(StreamBusy), contextlib.closing(StreamLock(stream)) as lock:
                close_segments(stream, lock)
        if _is_end_damaged(stream):
            with contextlib.suppress(LogError):  # It is closed as it is, and salvaged below.
                recover(stream)


def _is_end_damaged(stream: Path) -> bool:
    """Whether the newest segment lacks what was on disk. A server closes its own in time."""
    synced = synced_position(stream)
    for segment in stream_segments(stream)[-1:]:
        promised = synced.offset if segment.sequence == synced.sequence else 0
        try:
            with SegmentReader(segment.path, segment.closed, promised) as reader:
                reader.verify()
        except EmptySegment:
            return False
        except LogError:
            return True
    return False


def _salvaged(spool: Path, table: LogTable) -> Iterator[SalvagedSegment]:
    for stream in _streams(spool):
        for segment in stream_segments(stream):
            if segment.closed is None:
                continue
            try:
                with SegmentReader(segment.path, segment.closed) as reader:
                    reader.verify()
            except LogError:
                yield salvage(segment, table)


def _is_copy(path: str, placed: PlacedSegments) -> bool:
    """Whether a segment is still where it was moved to, and all its rows are in the log."""
    return Path(path).exists() and path not in placed.sealed and path not in placed.unread


def _check_listed(spool: Path, account: SealedAccount) -> None:
    """Check that running writers know all their segments.

    Raises:
        UnlistedSegment: one was put there while its writer ran, and is in no list and no table.
    """
    for stream in _streams(spool):
        for segment in unlisted_segments(stream_segments(stream)):
            key = f"{stream.parent.name}/{stream.name}/{stream_identity(stream)}"
            if segment.sequence > account.sealed_up_to(key):
                raise UnlistedSegment.of(segment)


def _missing(spool: Path, account: SealedAccount) -> Iterator[Segment]:
    for stream in _streams(spool):
        yield from missing_segments(stream, account.sealed_up_to)


def _streams(spool: Path) -> Iterator[Path]:
    for slice_folder in folders(spool):
        yield from folders(slice_folder)
