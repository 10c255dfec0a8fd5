"""The files of segments on disk, and positions in a stream.

A *stream* is a folder with one writer at a time: ``requests``, or ``shadow-<version>`` for each
shadow, in ``<spool>/<model>/<slice>/``. Its segments are ``00000000.arrows``, ``00000001.arrows``
and so on. The highest number is the open segment; all others are closed. A name never changes and
the highest number is never deleted, so listing the folder is safe at any time and no number is used
twice.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import time
from pathlib import Path
from typing import NamedTuple

from gnomon import files
from gnomon.compat.platform import sync_descriptor
from gnomon.errors import LogError, LogUnavailable
from gnomon.log.segments.closed_segments import closed_segments
from gnomon.log.segments.segment_header import identity_of_segments
from gnomon.settings import Settings

__all__ = [
    "CLOSE",
    "REQUESTS",
    "STOPPED",
    "Position",
    "Segment",
    "shadow_stream",
    "stream_folder",
    "stream_identity",
    "stream_segments",
    "synced_position",
]

REQUESTS = "requests"
CLOSE = "close"
"""A file of this name in a stream asks its writer to begin the next segment now."""
STOPPED = "stopped"
"""A file of this name in a shadow's stream says that requests are not kept for it any more."""

_LOCK = "lock"
_IDENTITY_LENGTH = 16
_IDENTITY = re.compile(f"[0-9a-f]{{{_IDENTITY_LENGTH}}}")
_SYNCED_LENGTH = 32
_SUFFIX = ".arrows"
_SEGMENT = re.compile(r"(\d{8}|[1-9]\d{8,11})\.arrows", re.ASCII)
"""The names that :func:`segment_path` makes; a copy or a hidden file beside them is no segment."""


class Position(NamedTuple):
    """A place in a stream: everything before ``offset`` in segment ``sequence`` has been read."""

    sequence: int
    offset: int

    def __str__(self) -> str:
        return f"{self.sequence}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Return the position that ``str`` wrote.

        Raises:
            LogError: it is not of the form ``sequence:offset``.
        """
        sequence, _, offset = text.partition(":")
        if not (sequence.isdecimal() and offset.isdecimal()):
            raise LogError(f"expected a position like `3:1024`, got `{text}`")
        return cls(int(sequence), int(offset))

    @property
    def segment(self) -> str:
        """The segment's name in the log's columns, such as ``00000003``; it sorts as text."""
        return f"{self.sequence:08d}"


START = Position(0, 0)


class Segment(NamedTuple):
    """One segment's file; ``closed`` is its size when it was closed, None while it is open."""

    sequence: int
    path: Path
    closed: int | None = None

    @property
    def name(self) -> str:
        """The segment's name in the log's columns."""
        return self.path.name.removesuffix(_SUFFIX)


def shadow_stream(version: str) -> str:
    """Return the name of the stream of the shadow of this artifact version."""
    return f"shadow-{version}"


def stream_folder(settings: Settings, model: str, slice_name: str, stream: str) -> Path:
    """Return the folder of one stream of one slice; it need not exist."""
    return settings.spool_path / model / slice_name / stream


def segment_path(folder: Path, sequence: int) -> Path:
    """Return the file of a segment; it need not exist."""
    return folder / f"{sequence:08d}{_SUFFIX}"


def stream_segments(folder: Path) -> list[Segment]:
    """Return the segments of a stream, oldest first; none when there is no such folder.

    A listing may miss a file that is made meanwhile. If it shows a gap, the folder is listed again:
    then it has every file before the highest.
    """
    found = _list(folder)
    if found and found[-1].sequence - found[0].sequence >= len(found):
        highest = found[-1].sequence
        found = [segment for segment in _list(folder) if segment.sequence <= highest]
    return found


def stream_identity(folder: Path) -> str:
    """Return the identity of a stream's folder without locking it; empty if never written.

    If the lock was deleted, its segments say it.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with (folder / _LOCK).open("rb") as lock:
            return lock.read(_IDENTITY_LENGTH).decode(errors="replace")
    except FileNotFoundError:
        return identity_of_segments(folder) or ""


def synced_position(folder: Path) -> Position:
    """Return :attr:`StreamLock.synced` without locking; the start if the stream was never written.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with (folder / _LOCK).open("rb") as lock:
            return _synced(lock.fileno())
    except FileNotFoundError:
        return START


def folders(parent: Path) -> list[Path]:
    """Return the folders in a folder, by name; none when it does not exist."""
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []


def _synced(lock: int) -> Position:
    text = os.pread(lock, _SYNCED_LENGTH, _IDENTITY_LENGTH).decode(errors="replace")
    try:
        return Position.parse(text.strip())
    except LogError:
        return START


def _list(folder: Path) -> list[Segment]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    numbers = sorted(int(name.removesuffix(_SUFFIX)) for name in names if _SEGMENT.fullmatch(name))
    closed = closed_segments(folder) if numbers else {}
    return [Segment(n, segment_path(folder, n), closed.get(n)) for n in numbers]


class StreamBusy(LogUnavailable):
    """Another process is writing this stream."""


class StreamLock:
    """The right to write a stream; the kernel releases it when the process dies.

    Its file contains two values of fixed length. ``identity`` is made once per folder and written
    to its segments, so that a folder that was lost and created again is not mistaken for the one
    whose segments are already in the table. The second value is the position up to which the stream
    is on disk. It is overwritten in place without a separate sync: after a power failure it may be
    an older position, but never one that was not reached.

    Raises:
        StreamBusy: another process still has it after ``wait`` seconds.
        LogUnavailable: the disk refuses.
    """

    def __init__(self, folder: Path, *, wait: float = 0.0, name: str = _LOCK) -> None:
        try:
            files.make_folder(folder)
            self._descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, files.file_mode())
        except OSError as error:
            raise LogUnavailable.of("open the log", error, where=str(folder)) from None
        try:
            self._acquire(folder, time.monotonic() + wait)
            self.identity = self._identify(folder)
        except OSError as error:
            self.close()
            raise LogUnavailable.of("open the log", error, where=str(folder)) from None
        except BaseException:
            self.close()
            raise

    @property
    def synced(self) -> Position:
        """Everything before this position was on disk when the last writer recorded it.

        Its offset is 0 in a segment without rows.
        """
        return _synced(self._descriptor)

    def note_synced(self, position: Position) -> None:
        """Record that everything before a position is on disk.

        Raises:
            OSError: the disk refuses.
        """
        text = str(position).ljust(_SYNCED_LENGTH - 1) + "\n"
        os.pwrite(self._descriptor, text.encode(), _IDENTITY_LENGTH)

    def close(self) -> None:
        """Let another process write; closing twice does no harm."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _acquire(self, folder: Path, until: float) -> None:
        while True:
            try:
                return fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise StreamBusy(
                        "another process is writing this stream",
                        where=str(folder),
                        hint="give every gateway a different slice name",
                    ) from None
                time.sleep(0.01)

    def _identify(self, folder: Path) -> str:
        identity = os.pread(self._descriptor, _IDENTITY_LENGTH, 0).decode(errors="replace")
        if _IDENTITY.fullmatch(identity):
            return identity
        found = identity_of_segments(folder) or ""  # A lock that was deleted is made again.
        is_one = _IDENTITY.fullmatch(found)
        identity = found if is_one else secrets.token_hex(_IDENTITY_LENGTH // 2)
        os.pwrite(self._descriptor, identity.encode(), 0)
        self.note_synced(START)
        sync_descriptor(self._descriptor)
        files.sync_folder(folder)
        return identity
