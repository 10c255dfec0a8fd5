"""Segments that are in another stream, or have another number, than when they were written.

Restoring a backup file by file, renaming a slice's folder or keeping a copy of it beside it can do
that. Nothing is lost then, as the header of each segment says where it belongs. Repair puts it
there if that place is free; if its stream has a new folder since, its rows go into the table.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gnomon import files
from gnomon.errors import LogError, LogUnavailable
from gnomon.log.lost_ranges import lost_ranges, record_copies
from gnomon.log.repair.whole_segments import whole_segments
from gnomon.log.sealed_account import Counted, SealedAccount
from gnomon.log.segments import closed_segments
from gnomon.log.segments.layout import (
    StreamLock,
    folders,
    segment_path,
    stream_identity,
    stream_segments,
)
from gnomon.log.segments.schema import MARK_KEY
from gnomon.log.segments.segment_header import Home, home
from gnomon.log.segments.tail import MisplacedSegment, SegmentReader
from gnomon.log.table.log_table import LogTable
from gnomon.log.table.sealed_segments import sealed_end

__all__ = [
    "Misplaced",
    "PlacedSegments",
    "place",
    "put_back_folders",
    "seal_rest",
    "set_aside_found",
    "set_aside_misplaced",
]


class Misplaced(NamedTuple):
    """A segment that was in the wrong place.

    Attributes:
        path: its current path, in ``damaged/`` of the stream where it was.
        home: where its header says it belongs.
    """

    path: Path
    home: Home

    @property
    def stream(self) -> Path:
        """The folder of the stream where it was."""
        return self.path.parent.parent


class PlacedSegments(NamedTuple):
    """What was done with the rows of misplaced segments.

    Attributes:
        returned: paths of segments that are in their place again.
        sealed: rows that were added to the table, by the path of the segment.
        unread: damaged segments, whose rows may be nowhere else, with the reason.
    """

    returned: tuple[str, ...]
    sealed: dict[str, int]
    unread: dict[str, str]


def put_back_folders(spool: Path) -> Iterator[tuple[Path, Path]]:
    """Rename the folders of streams that were renamed, if nothing has their old name; yield both.

    Raises:
        OSError: the disk refuses.
    """
    for stream in _streams(spool):
        homes = {_home(path) for path in stream.glob("*.arrows")}  # Its lists may be damaged.
        keys = {one.key for one in homes if one is not None}
        first = next((one for one in homes if one is not None), None)
        if first is None or None in homes or len(keys) > 1:
            continue
        target = first.folder(spool)
        is_whole = first.identity == stream_identity(stream)
        if target is None or target.exists() or not is_whole:
            continue
        with contextlib.suppress(LogUnavailable), contextlib.closing(StreamLock(stream)):
            files.make_folder(target.parent)
            stream.rename(target)
            files.sync_folder(target.parent)
            files.sync_folder(stream.parent)
            with contextlib.suppress(OSError):  # It is not empty.
                stream.parent.rmdir()
            yield stream, target


def set_aside_misplaced(streams: list[Path]) -> Iterator[Misplaced]:
    """Move misplaced segments out of their streams, and yield them.

    Raises:
        OSError: the disk refuses.
    """
    for stream in streams:
        for segment in stream_segments(stream):
            try:
                SegmentReader(segment.path).close()
            except MisplacedSegment as error:
                path = closed_segments.set_aside(stream, segment.path.name)
                yield Misplaced(path, error.home)
            except LogError:
                continue


def place(spool: Path, table: LogTable, account: SealedAccount) -> PlacedSegments:
    """Put segments that were set aside, now or by a repair that ended early, where they belong.

    Args:
        spool: the model's segments.
        table: the model's.
        account: of this spool's sealer, open.

    Raises:
        OSError: the disk refuses.
        LogError: the table cannot be read or written.
    """
    returned: list[str] = []
    sealed: dict[str, int] = {}
    unread: dict[str, str] = {}
    for one in sorted(_set_aside(spool), key=lambda one: (one.home, -one.path.stat().st_size)):
        folder = one.home.folder(spool)
        if folder is None:
            continue
        number = int(one.home.segment)
        there = segment_path(folder, number)
        is_sealed = number <= account.sealed_up_to(one.home.key)
        is_free = stream_identity(folder) == one.home.identity and not there.exists()
        try:
            with SegmentReader(one.path, anywhere=True) as reader:
                known = _known_end(reader, there, table, account, is_sealed=is_sealed)
                new_rows = sum(batch.num_rows for _, batch in reader.batches(known))
                if not new_rows:
                    pass
                elif is_free and not is_sealed and known == reader.first and _fits(reader, folder):
                    _move(one.path, there)
                    returned.append(str(there))
                elif _seal(reader, known, new_rows, table, account):
                    sealed[str(one.path)] = new_rows
        except LogError as error:
            if not (is_sealed or there.exists() or _is_awaited(one.home, folder)):
                unread[str(one.path)] = error.message
        _note_copy(one)
    return PlacedSegments(tuple(returned), sealed, unread)


def seal_rest(streams: list[Path], table: LogTable, account: SealedAccount) -> dict[str, int]:
    """Add what the table lacks of segments that are in their places and were sealed before.

    A file that was put back may have more rows than the one that was sealed, and the sealer removes
    it. Return how many rows were added, by the path of the segment.

    Raises:
        LogError: the table cannot be read or written.
    """
    sealed = {}
    for stream in streams:
        for reader in whole_segments(stream):
            sealed_up_to = account.sealed_up_to(home(reader.schema.metadata).key)
            if reader.sequence <= sealed_up_to or account.was_found(reader):
                known = sealed_end(reader, table, account.removed_until, is_sealed=True)
                rows = sum(batch.num_rows for _, batch in reader.batches(known))
                if rows and _seal(reader, known, rows, table, account):
                    sealed[str(reader.path)] = rows
    return sealed


def set_aside_found(streams: list[Path], account: SealedAccount) -> Iterator[str]:
    """Move segments aside that a repair had found elsewhere, and sealed; yield their new paths.

    Raises:
        OSError: the disk refuses.
    """
    for stream in streams:
        for reader in whole_segments(stream):
            if account.was_found(reader):
                record_copies(stream, {reader.sequence})
                yield str(closed_segments.set_aside(stream, reader.path.name))


def _set_aside(spool: Path) -> Iterator[Misplaced]:
    """Yield segments in ``damaged/`` of a stream that were written for another place."""
    for stream in _streams(spool):
        for path in sorted((stream / "damaged").glob("*.arrows*")):
            found = _home(path)
            at = (stream.parent.name, stream.name, stream_identity(stream), path.name[:8])
            if found is not None and found.segment.isdecimal() and tuple(found) != at:
                yield Misplaced(path, found)


def _home(path: Path) -> Home | None:
    """Return where the header of a segment says that it belongs; None if that is unknown."""
    try:
        with SegmentReader(path, anywhere=True) as reader:
            return home(reader.schema.metadata)
    except (LogError, OSError, ValueError):
        return None


def _seal(
    reader: SegmentReader, known: int, new_rows: int, table: LogTable, account: SealedAccount
) -> bool:
    """Add the rows after ``known`` of a segment that has no place any more to the table.

    Returns:
        False if they were there.
    """
    metadata = reader.schema.metadata
    mark = metadata.get(MARK_KEY, b"").decode()
    place = home(metadata).found(mark if known == reader.first else f"{mark}.{known}")
    if reader.sequence <= account.sealed_up_to(place.key):
        return False
    reader.schema = reader.schema.with_metadata({**metadata, **place.metadata})
    reader.first = known
    account.begin(reader.schema.metadata, {reader.sequence})
    table.add([reader])
    account.add([Counted(reader, new_rows)])
    return True


def _known_end(
    reader: SegmentReader,
    there: Path,
    table: LogTable,
    account: SealedAccount,
    *,
    is_sealed: bool,
) -> int:
    """Return the end of the last batch of a segment that the log has or had.

    It may have the beginning only: a segment grows, and a backup has it as it was. A stream that
    was restored from one has other segments of the same numbers. Rows that were sealed and that
    retention removed must not come back.
    """
    sealed = sealed_end(reader, table, account.removed_until, is_sealed=is_sealed)
    return max(sealed, _end_there(reader, there))


def _end_there(reader: SegmentReader, there: Path) -> int:
    """Return where the same segment ends in its own place; 0 if it is not there.

    What a repair found lost at its end is not there.
    """
    lost = [one for one in lost_ranges(there.parent) if one.segment == reader.sequence]
    try:
        with SegmentReader(there, anywhere=True) as other:
            if other.schema.metadata != reader.schema.metadata:
                return 0
            end = other.whole_end()
    except (LogError, OSError):
        return 0
    return min((one.begin for one in lost if one.end == end), default=end)


def _fits(reader: SegmentReader, folder: Path) -> bool:
    """Return whether a segment may be the one that its stream closed; perhaps cut short.

    A size without rows was that of another segment, which a crash and an exchange left here.
    """
    listed = closed_segments.closed_segments(folder).get(reader.sequence)
    if listed is None or listed == reader.end:
        return True
    return listed > reader.end and reader.sequence in closed_segments.filled_segments(folder)


def _is_awaited(home: Home, folder: Path) -> bool:
    """Return whether a stream has a segment listed, so that repair counts it as missing."""
    is_its_own = stream_identity(folder) == home.identity
    return is_its_own and int(home.segment) in closed_segments.filled_segments(folder)


def _move(path: Path, there: Path) -> None:
    os.link(path, there)
    files.sync_folder(there.parent)
    files.remove(path)


def _note_copy(one: Misplaced) -> None:
    """Record that segments which a copied list of closed segments names were never here.

    Those before the copied segment were sealed and removed before the folder was copied.
    """
    at = (one.stream.parent.name, one.stream.name)
    is_copied = one.home.identity == stream_identity(one.stream)
    if is_copied and at != (one.home.slice, one.home.stream):
        number = int(one.home.segment)
        listed = closed_segments.filled_segments(one.stream) | {number}
        record_copies(one.stream, {earlier for earlier in listed if earlier <= number})


def _streams(spool: Path) -> Iterator[Path]:
    for slice_folder in folders(spool):
        yield from folders(slice_folder)
