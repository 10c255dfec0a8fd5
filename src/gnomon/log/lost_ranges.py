"""Which parts of a stream are known to be lost: the accounts do not report them as missing."""

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
    """Batches of a segment that could not be read any more.

    Attributes:
        segment: its number.
        begin: the offset after the last batch before them.
        end: the offset after the last of them.
        read_from: for a shadow's stream, the place in the requests before what they recorded.
        read_to: the place after it.
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
    """The batches that a stream is known to have lost.

    Raises:
        LogError: the list is damaged, or of a newer format.
    """
    found = formats.read(folder / _NAME, _Lost, _FORMAT)
    return () if found is None else found.ranges


def record_lost(folder: Path, ranges: tuple[LostRange, ...]) -> None:
    """Add lost batches to a stream's list; it is on disk when this returns.

    Those that are there, as a repair that ended early has noted them, are not added again.

    Raises:
        LogError: the list is damaged.
        OSError: the disk refuses.
    """
    known = _Lost(ranges=tuple(dict.fromkeys((*lost_ranges(folder), *ranges))))
    files.replace(folder / _NAME, msgspec.json.encode(known))
