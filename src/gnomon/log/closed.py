"""Which segments of a stream are closed, and how long each is.

``closed.json`` in a stream's folder names every segment that is complete *and* on disk, with its
size in bytes. So a closed segment that is shorter, or does not end with a whole batch, is damaged;
one that is not named was written until a crash, and only its end may be torn. Only closed segments
are sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from gnomon import files, formats
from gnomon.errors import LogError, NewerLog

__all__ = ["FORMAT", "closed_segments", "record_closed", "set_aside"]

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
    """The content of ``closed.json``: the size of each segment by its number."""

    format: int = FORMAT
    bytes: dict[int, int] = {}


def closed_segments(folder: Path) -> dict[int, int]:
    """The size of each closed segment of a stream by its number; empty when none was closed.

    Raises:
        LogError: the file is damaged, or of a newer format.
    """
    found = formats.read(folder / _NAME, _Closed, _FORMAT)
    return {} if found is None else found.bytes


def record_closed(folder: Path, sizes: Mapping[int, int], *, oldest: int = 0) -> None:
    """Rewrite the list; it is on disk when this returns. Only the stream's writer may.

    Args:
        folder: the stream's.
        sizes: bytes by number of every segment that is complete and synced.
        oldest: segments before this number are gone, and left out.

    Raises:
        OSError: the disk refuses.
    """
    kept = {number: size for number, size in sorted(sizes.items()) if number >= oldest}
    files.replace(folder / _NAME, msgspec.json.encode(_Closed(bytes=kept)))


def set_aside(folder: Path, name: str = _NAME) -> Path:
    """Move a file of a stream, the list itself by default, out of the way; where it is then.

    Raises:
        OSError: the disk refuses.
    """
    place = folder / "damaged" / name
    files.make_folder(place.parent)
    (folder / name).replace(place)
    files.sync_folder(place.parent)
    files.sync_folder(folder)
    return place
