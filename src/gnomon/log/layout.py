"""Where segments are on disk, and how a place in a stream is written down.

A *stream* is a folder with one writer at a time: ``requests``, or ``shadow-<version>`` for each
shadow, in ``<spool>/<model>/<slice>/``. Its segments are ``00000000.arrows``, ``00000001.arrows``
and so on. The highest number is the open segment; all others are closed. A name never changes and
the highest number is never deleted, so a listing races with nothing and no number is used twice.
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
from gnomon.log.closed_segments import closed_segments
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
"""A file of this name in a shadow's stream says that nobody waits for it any more."""

_LOCK = "lock"
_IDENTITY_LENGTH = 16
_SYNCED_LENGTH = 32
_SUFFIX = ".arrows"


class Position(NamedTuple):
    """A place in a stream: everything before ``offset`` in segment ``sequence`` has been read."""

    sequence: int
    offset: int

    def __str__(self) -> str:
        return f"{self.sequence}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """The position that ``str`` wrote.

        Raises:
            LogError: it is not of the form ``sequence:offset``.
        """
        sequence, _, offset = text.partition(":")
        if not (sequence.isdecimal() and offset.isdecimal()):
            raise LogError(f"expected a position like `3:1024`, got `{text}`")
        return cls(int(sequence), int(offset))

    @property
    def segment(self) -> str:
        """The segment as the log's columns name it, ``00000003``; it sorts as text."""
        return f"{self.sequence:08d}"


START = Position(0, 0)


class Segment(NamedTuple):
    """One segment's file; ``closed`` is the size it was closed with, None while it is not."""

    sequence: int
    path: Path
    closed: int | None = None

    @property
    def name(self) -> str:
        """The segment as the log's columns name it."""
        return self.path.name.removesuffix(_SUFFIX)


def shadow_stream(version: str) -> str:
    """The name of the stream of the shadow of this artifact version."""
    return f"shadow-{version}"


def stream_folder(settings: Settings, model: str, slice_name: str, stream: str) -> Path:
    """The folder of one stream of one slice; it need not exist."""
    return settings.spool_path / model / slice_name / stream


def segment_path(folder: Path, sequence: int) -> Path:
    """The file of a segment; it need not exist."""
    return folder / f"{sequence:08d}{_SUFFIX}"


def stream_segments(folder: Path) -> list[Segment]:
    """The segments of a stream, oldest first; none when there is no such folder.

    A listing may miss a file that is made during it. One that shows a gap is made again: then
    every file before the highest is in it.
    """
    found = _list(folder)
    if found and found[-1].sequence - found[0].sequence >= len(found):
        highest = found[-1].sequence
        found = [segment for segment in _list(folder) if segment.sequence <= highest]
    return found


def stream_identity(folder: Path) -> str:
    """The identity of a stream's folder, without its lock; empty when it was never written.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with (folder / _LOCK).open("rb") as lock:
            return lock.read(_IDENTITY_LENGTH).decode(errors="replace")
    except FileNotFoundError:
        return ""


def synced_position(folder: Path) -> Position:
    """As :attr:`StreamLock.synced`, without the lock; the start of a stream never written.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with (folder / _LOCK).open("rb") as lock:
            return _synced(lock.fileno())
    except FileNotFoundError:
        return START


def folders(parent: Path) -> list[Path]:
    """The folders in a folder, by name; none when it is not there."""
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
        names = sorted(n for n in os.listdir(folder) if n.endswith(_SUFFIX))
    except FileNotFoundError:
        return []
    closed = closed_segments(folder) if names else {}
    numbers = [int(name.removesuffix(_SUFFIX)) for name in names]
    return [
        Segment(number, folder / name, closed.get(number))
        for number, name in zip(numbers, names, strict=True)
    ]


class StreamBusy(LogUnavailable):
    """Another process writes this stream."""


class StreamLock:
    """The right to write a stream; the kernel takes it back when the process dies.

    Its file holds two things of fixed length. ``identity`` is made once per folder: segments carry
    it, so that a folder that was lost and created again is not taken for the one whose segments are
    already in the table. And the position up to which the stream is on disk, in place and without
    a sync of its own: after a loss of power it may be an older one, never one that was not reached.

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
        """Everything before this position was on disk when the last writer noted so.

        Its offset is 0 in a segment without rows.
        """
        return _synced(self._descriptor)

    def note_synced(self, position: Position) -> None:
        """Note that everything before a position is on disk.

        Raises:
            OSError: the disk refuses.
        """
        text = str(position).ljust(_SYNCED_LENGTH - 1) + "\n"
        os.pwrite(self._descriptor, text.encode(), _IDENTITY_LENGTH)

    def close(self) -> None:
        """Let another process write; doing it twice does no harm."""
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
                        "another process writes this stream",
                        where=str(folder),
                        hint="give every gateway a slice name of its own",
                    ) from None
                time.sleep(0.01)

    def _identify(self, folder: Path) -> str:
        identity = os.pread(self._descriptor, _IDENTITY_LENGTH, 0).decode(errors="replace")
        if re.fullmatch(f"[0-9a-f]{{{_IDENTITY_LENGTH}}}", identity):
            return identity
        identity = secrets.token_hex(_IDENTITY_LENGTH // 2)
        os.pwrite(self._descriptor, identity.encode(), 0)
        self.note_synced(START)
        sync_descriptor(self._descriptor)
        files.sync_folder(folder)
        return identity
