"""The list of a stream's closed segments, with the size of each.

``closed.json`` in a stream's folder names every segment that is complete *and* on disk, with its
size in bytes. So a closed segment is damaged if it is shorter or does not end with a complete
batch. A segment that is not listed was being written at a crash, and only its end may be torn. Only
closed segments are sealed. The list also says which segments have rows: their files are removed
only after they are sealed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from gnomon import files, formats
from gnomon.errors import LogError, NewerLog

__all__ = [
    "FORMAT",
    "closed_segments",
    "copy_aside",
    "filled_segments",
    "place_aside",
    "record_closed",
    "set_aside",
]

FORMAT = 1

_NAME = "closed.json"
_FORMAT = formats.Format(
    "list of closed segments",
    FORMAT,
    hint="gnomon log repair rebuilds it from the segments",
    damaged=LogError,
    newer=NewerLog,
)


class _Closed(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``closed.json``.

    Attributes:
        format: the version of this file's format.
        bytes: the size of each segment by its number.
        filled: the numbers of the segments that have rows, without those that an earlier release
            closed.
    """

    format: int = FORMAT
    bytes: dict[int, int] = {}
    filled: tuple[int, ...] = ()


def closed_segments(folder: Path) -> dict[int, int]:
    """Return the size of each closed segment of a stream by number; empty when none is closed.

    Raises:
        LogError: the file is damaged, or of a newer format.
    """
    found = formats.read(folder / _NAME, _Closed, _FORMAT)
    return {} if found is None else found.bytes


def filled_segments(folder: Path) -> frozenset[int]:
    """Return the numbers of the closed segments of a stream that are known to have rows.

    Raises:
        LogError: the file is damaged, or of a newer format.
    """
    found = formats.read(folder / _NAME, _Closed, _FORMAT)
    return frozenset() if found is None else frozenset(found.filled)


def record_closed(
    folder: Path, sizes: Mapping[int, int], *, filled: Collection[int] = (), oldest: int = 0
) -> None:
    """Rewrite the list; it is on disk when this returns. Only the stream's writer may do this.

    Args:
        folder: the stream's.
        sizes: the bytes, by number, of every segment that is complete and synced.
        filled: the numbers of the segments that have rows.
        oldest: segments before this number are gone and left out, except those in ``filled``.

    Raises:
        OSError: the disk refuses.
    """
    kept = {n: size for n, size in sorted(sizes.items()) if n >= oldest or n in filled}
    listed = _Closed(bytes=kept, filled=tuple(sorted(set(filled) & kept.keys())))
    files.replace(folder / _NAME, msgspec.json.encode(listed))


def place_aside(folder: Path, name: str) -> Path:
    """Where a damaged file of a stream goes: not where an earlier one of its name is."""
    return files.free_place(folder / "damaged" / name)


def copy_aside(folder: Path) -> Path:
    """Copy a stream's list to ``damaged/`` before it is corrected; return the copy's path.

    Raises:
        OSError: the disk refuses.
    """
    place = place_aside(folder, _NAME)
    files.replace(place, (folder / _NAME).read_bytes())
    return place


def set_aside(folder: Path, name: str = _NAME) -> Path:
    """Move a stream's file, by default this list, to ``damaged/``; return its new path.

    Raises:
        OSError: the disk refuses.
    """
    place = place_aside(folder, name)
    files.make_folder(place.parent)
    (folder / name).replace(place)
    files.sync_folder(place.parent)
    files.sync_folder(folder)
    return place
