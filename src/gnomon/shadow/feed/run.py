"""One run of a shadow in one slice: from its start in the rollout to its stop."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from gnomon.log import (
    STOPPED,
    Position,
    SegmentReader,
    read_position,
    shadow_stream,
    stream_folder,
    stream_segments,
)
from gnomon.log.tail import EmptySegment
from gnomon.settings import Settings

__all__ = ["Run", "mark_stopped"]

_KEY = "gnomon.run"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What decides which rows are eligible; in the metadata of each of the shadow's segments.

    Attributes:
        artifact: the shadow's tag.
        epoch: the rollout epoch it was started in.
        since: the end of the slice's requests when it was first started there; what came before
            is not eligible.
        fraction: of the entities, or requests.
        entity_key: what it samples by.
    """

    artifact: str
    epoch: int
    since: str
    fraction: float
    entity_key: tuple[str, ...] = ()

    @classmethod
    def last(cls, folder: Path) -> Run | None:
        """The run that the newest segment in a shadow's stream belongs to.

        Raises:
            LogError: the segment is damaged.
        """
        for segment in reversed(stream_segments(folder)):
            try:
                with SegmentReader(segment.path, segment.closed) as reader:
                    written = (reader.schema.metadata or {}).get(_KEY.encode())
            except (FileNotFoundError, EmptySegment):
                continue
            return msgspec.json.decode(written, type=cls) if written else None
        return None

    def resumed(self, folder: Path) -> tuple[Run, Position]:
        """This run as it began, and how far it has read; a later life is given a later ``since``.

        Raises:
            LogError: a segment is damaged.
        """
        last = self.last(folder)
        run = last if last is not None and last.epoch == self.epoch else self
        begun = Position.parse(run.since)
        read = read_position(folder) if run is last else None
        return run, max(begun, read or begun)

    @property
    def metadata(self) -> dict[str, str]:
        """For a segment's schema."""
        return {_KEY: msgspec.json.encode(self).decode()}


def mark_stopped(settings: Settings, model: str, slice_name: str, running: Iterable[str]) -> None:
    """Let the sealer have the requests that only stopped shadows had not read.

    A feed takes its own mark away when it starts.

    Args:
        settings: where the spool is.
        model: the deployment's model name.
        slice_name: the slice.
        running: the tags of the shadows that should run; every other stream is marked.
    """
    wanted = {shadow_stream(tag.partition(":")[2]) for tag in running}
    every = stream_folder(settings, model, slice_name, shadow_stream("*"))
    for folder in every.parent.glob(every.name):
        if folder.name not in wanted:
            (folder / STOPPED).touch()
