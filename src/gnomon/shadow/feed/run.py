"""A run of a shadow in one slice: from its start in the rollout to its stop."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from gnomon import files, formats
from gnomon.errors import LogUnavailable
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

    It is stored in the metadata of each of the shadow's segments, and in ``run.json`` next to
    them, for when no readable segment is left.

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
        """Return the run to which the newest segment in a shadow's stream belongs.

        Raises:
            LogError: the segment is damaged.
            UnreadableFile: there is no segment, and ``run.json`` is damaged.
        """
        for segment in reversed(stream_segments(folder)):
            try:
                with SegmentReader(segment.path, segment.closed) as reader:
                    content = (reader.schema.metadata or {}).get(_KEY.encode())
            except (FileNotFoundError, EmptySegment):
                continue
            return msgspec.json.decode(content, type=cls) if content else None
        run_file = formats.read(folder / _NAME, _RunFile, _KIND)
        return None if run_file is None else run_file.run

    def resumed(self, folder: Path, table: LogTable) -> tuple[Run, Position]:
        """Return this run as it was first started, and how far it has read.

        A feed that is started again is given a later ``since``; the first one counts.

        Args:
            folder: the shadow's stream.
            table: the sealed log, for the position if no segment is left that has it.

        Raises:
            LogError: a segment is damaged, or the table cannot be read.
            UnreadableFile: no segment is left, and ``run.json`` is damaged.
        """
        last = self.last(folder)
        run = last if last is not None and last.epoch == self.epoch else self
        first_position = Position.parse(run.since)
        if run is not last:
            return run, first_position
        position = read_position(folder)
        if position is None or table.is_ahead_of(folder):
            position = max(position or first_position, last_source(table, folder) or first_position)
        return run, max(first_position, position)

    def keep(self, folder: Path) -> None:
        """Write the run to ``run.json`` next to the segments.

        Raises:
            LogUnavailable: the file cannot be written.
        """
        try:
            files.replace(folder / _NAME, msgspec.json.encode(_RunFile(run=self)))
        except OSError as error:
            raise LogUnavailable.of("open the log", error, where=str(folder)) from None

    @property
    def metadata(self) -> dict[str, str]:
        """The run as metadata for a segment's schema."""
        return {_KEY: msgspec.json.encode(self).decode()}


class _RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``run.json``."""

    format: int = FORMAT
    run: Run


def mark_stopped(settings: Settings, model: str, slice_name: str, running: Iterable[str]) -> None:
    """Mark the streams of stopped shadows, so that sealing does not wait for these shadows.

    A feed removes its mark when it starts.

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
