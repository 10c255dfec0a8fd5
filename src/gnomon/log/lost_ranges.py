"""The parts of a stream that are known to be lost; the accounts do not report them as missing."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from gnomon import files, formats
from gnomon.errors import LogError, NewerLog

__all__ = [
    "FORMAT",
    "LostRange",
    "copied_segments",
    "lost_ranges",
    "record_copies",
    "record_lost",
]

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
    """The content of ``lost.json``.

    Attributes:
        format: the version of this file's format.
        ranges: what is lost.
        copies: segments that the list of closed segments names, and that were never written here:
            the folder, or its list, is a copy of another stream's.
    """

    format: int = FORMAT
    ranges: tuple[LostRange, ...] = ()
    copies: tuple[int, ...] = ()


def lost_ranges(folder: Path) -> tuple[LostRange, ...]:
    """Return the ranges that a stream is known to have lost.

    Raises:
        LogError: the list is damaged, or of a newer format.
    """
    return _read(folder).ranges


def copied_segments(folder: Path) -> frozenset[int]:
    """Return the segments that a stream's list names because it is a copy of another stream's.

    Raises:
        LogError: the list is damaged, or of a newer format.
    """
    return frozenset(_read(folder).copies)


def record_lost(folder: Path, ranges: tuple[LostRange, ...]) -> None:
    """Add lost ranges to a stream's list; it is on disk when this returns.

    Ranges that are already listed, by a repair that ended early, are not added again.

    Raises:
        LogError: the list is damaged.
        OSError: the disk refuses.
    """
    known = _read(folder)
    ranges = tuple(dict.fromkeys((*known.ranges, *ranges)))
    _write(folder, msgspec.structs.replace(known, ranges=ranges))


def record_copies(folder: Path, segments: Collection[int]) -> None:
    """Record that segments which a stream's list names belong to another stream.

    Raises:
        LogError: the list is damaged.
        OSError: the disk refuses.
    """
    known = _read(folder)
    fresh = sorted(set(segments) - set(known.copies))
    if fresh:
        _write(folder, msgspec.structs.replace(known, copies=(*known.copies, *fresh)))


def _read(folder: Path) -> _Lost:
    return formats.read(folder / _NAME, _Lost, _FORMAT) or _Lost()


def _write(folder: Path, known: _Lost) -> None:
    files.replace(folder / _NAME, msgspec.json.encode(known))
