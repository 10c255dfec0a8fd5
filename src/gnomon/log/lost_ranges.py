"""The parts of a stream that are known to be lost; the accounts do not report them as missing."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gnomon import files, formats
from gnomon.errors import LogError, NewerLog

__all__ = ["FORMAT", "LostRange", "lost_ranges", "record_lost"]

FORMAT = 1

_NAME = "lost.json"
_FORMAT = formats.Format("list of lost batches", FORMAT, damaged=LogError, newer=NewerLog)


class LostRange(msgspec.Struct, frozen=True, kw_only=True):
    """Batches of a segment that could no longer be read.

    Attributes:
        segment: the segment's number.
        begin: the offset after the last batch before the range.
        end: the offset at the end of the range.
        read_from: in a shadow's stream: these batches scored requests after this position.
        read_to: likewise, up to this position.
    """

    segment: int
    begin: int
    end: int
    read_from: str | None = None
    read_to: str | None = None


class _Lost(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``lost.json``."""

    format: int = FORMAT
    ranges: tuple[LostRange, ...] = ()


def lost_ranges(folder: Path) -> tuple[LostRange, ...]:
    """Return the ranges that a stream is known to have lost.

    Raises:
        LogError: the list is damaged, or of a newer format.
    """
    found = formats.read(folder / _NAME, _Lost, _FORMAT)
    return () if found is None else found.ranges


def record_lost(folder: Path, ranges: tuple[LostRange, ...]) -> None:
    """Add lost ranges to a stream's list; it is on disk when this returns.

    Ranges that are already listed, by a repair that ended early, are not added again.

    Raises:
        LogError: the list is damaged.
        OSError: the disk refuses.
    """
    known = _Lost(ranges=tuple(dict.fromkeys((*lost_ranges(folder), *ranges))))
    files.replace(folder / _NAME, msgspec.json.encode(known))
