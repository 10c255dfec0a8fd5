"""A run of a shadow in one slice: from its start in the rollout to its stop."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from gnomon import files, formats
from gnomon.errors import LogError, LogUnavailable, UnreadableFile
from gnomon.log import (
    STOPPED,
    Position,
    SegmentReader,
    read_position,
    shadow_stream,
    stream_folder,
    stream_segments,
)
from gnomon.log.sealed_stream import last_source
from gnomon.log.segments.tail import EmptySegment
from gnomon.log.table.log_table import LogTable
from gnomon.settings import Settings

__all__ = ["FORMAT", "Run", "mark_stopped"]

FORMAT = 1

_KEY = "gnomon.run"
_KIND = formats.Format("shadow's run", FORMAT, hint="remove it; a running shadow rewrites it")
_NAME = "run.json"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a shadow, which decides which rows are eligible.

    The gateway writes it to ``run.json`` in the shadow's stream before the decision that starts the
    shadow takes effect in the slice; the feed stores it in the metadata of each of the shadow's
    segments. So it outlives the death of either, also before the first segment.

    Attributes:
        artifact: the shadow's tag.
        epoch: the rollout epoch it was started in.
        since: the end of the slice's requests when it was first started there; earlier rows are
            not eligible.
        fraction: the sampled fraction of the entities, or of the requests.
        entity_key: the features it samples by.
    """

    artifact: str
    epoch: int
    since: str
    fraction: float
    entity_key: tuple[str, ...] = ()

    @classmethod
    def last(cls, folder: Path) -> Run | None:
        """Return the run that began last in a shadow's stream; None if none has begun.

        Raises:
            LogError: the newest segment is damaged.
            UnreadableFile: there is no segment, and ``run.json`` is damaged.
        """
        recorded = _in_segments(folder)
        try:
            begun = _in_file(folder)
        except UnreadableFile:
            if recorded is None:
                raise
            return recorded
        known = [run for run in (recorded, begun) if run is not None]
        return max(known, key=lambda run: run.epoch, default=None)

    def begin(self, folder: Path) -> Run:
        """Record on disk that this run has begun, unless it has; return it as it first began.

        Only the gateway of the slice calls it. What an earlier run had left unread no longer
        counts; what is logged from :attr:`since` on is kept for this one.

        Args:
            folder: the shadow's stream.

        Raises:
            LogUnavailable: the disk refuses.
            UnreadableFile: ``run.json``, which may be about this run, is damaged.
        """
        recorded = None
        try:
            with contextlib.suppress(LogError):
                # The feed reports the damage. If that segment is of this run, it is found again
                # when the segment is repaired, and then precedes the file.
                recorded = _in_segments(folder)
            begun = recorded if recorded is not None and self._is(recorded) else _in_file(folder)
            if begun is None or not self._is(begun):
                files.replace(folder / _NAME, self._content())
                begun = self
            files.remove(folder / STOPPED)
        except OSError as error:
            raise LogUnavailable.of("begin a shadow", error, where=str(folder)) from None
        return begun

    def read_to(self, folder: Path) -> Position:
        """Return how far this run has read, by its segments: to its beginning if it has none.

        An earlier run of the same shadow may have read further, while its feed was being ended.

        Raises:
            LogError: a segment is damaged.
        """
        since = Position.parse(self.since)
        recorded = _in_segments(folder)
        if recorded is None or not self._is(recorded):
            return since
        return max(since, read_position(folder) or since)

    def resumed(self, folder: Path, table: LogTable) -> tuple[Run, Position]:
        """Return this run as it was first started, and how far it has read.

        A feed that is started again may be given a later ``since``; the first one counts.

        Args:
            folder: the shadow's stream.
            table: the sealed log, for the position if no segment is left that has it.

        Raises:
            LogError: a segment is damaged, or the table cannot be read.
            UnreadableFile: no segment of this run is left, and ``run.json`` is damaged.
        """
        recorded = _in_segments(folder)
        run = recorded if recorded is not None and self._is(recorded) else _in_file(folder)
        if run is None or not self._is(run):
            return self, Position.parse(self.since)
        position = run.read_to(folder)
        if read_position(folder) is None or table.is_ahead_of(folder):
            position = max(position, last_source(table, folder) or position)
        return run, position

    def keep(self, folder: Path) -> None:
        """Write the run to ``run.json`` if that is missing, for when no segment is left.

        A file that exists may be about a later run, which the gateway has begun meanwhile.

        Raises:
            LogUnavailable: the file cannot be written.
        """
        try:
            if not (folder / _NAME).exists():
                files.create(folder / _NAME, self._content())
        except OSError as error:
            raise LogUnavailable.of("open the log", error, where=str(folder)) from None

    def _is(self, other: Run) -> bool:
        return self.epoch == other.epoch

    def _content(self) -> bytes:
        return msgspec.json.encode(_RunFile(run=self))

    @property
    def metadata(self) -> dict[str, str]:
        """The run as metadata for a segment's schema."""
        return {_KEY: msgspec.json.encode(self).decode()}


class _RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``run.json``."""

    format: int = FORMAT
    run: Run


def _in_segments(folder: Path) -> Run | None:
    """Return the run to which the newest segment of a shadow's stream belongs; None without one.

    Raises:
        LogError: the segment is damaged.
    """
    for segment in reversed(stream_segments(folder)):
        try:
            with SegmentReader(segment.path, segment.closed) as reader:
                content = (reader.schema.metadata or {}).get(_KEY.encode())
        except (FileNotFoundError, EmptySegment):
            continue
        return msgspec.json.decode(content, type=Run) if content else None
    return None


def _in_file(folder: Path) -> Run | None:
    """Return the run in ``run.json``; None without one.

    Raises:
        UnreadableFile: it is damaged.
    """
    run_file = formats.read(folder / _NAME, _RunFile, _KIND)
    return None if run_file is None else run_file.run


def mark_stopped(settings: Settings, model: str, slice_name: str, running: Iterable[str]) -> None:
    """Mark the streams of stopped shadows, so that sealing does not wait for these shadows.

    The mark of a stream is removed when a run begins there.

    Args:
        settings: where the spool is.
        model: the deployment's model name.
        slice_name: the slice.
        running: the tags of the shadows that should run; every other stream is marked.
    """
    names = {shadow_stream(tag.partition(":")[2]) for tag in running}
    pattern = stream_folder(settings, model, slice_name, shadow_stream("*"))
    for folder in pattern.parent.glob(pattern.name):
        if folder.name not in names:
            (folder / STOPPED).touch()
