"""The attempt of a feed, written to disk before it is made: a row cannot kill the feed for ever."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pyarrow.compute as pc

from gnomon import formats
from gnomon.errors import NewerFormat, UnreadableFile
from gnomon.formats import Format
from gnomon.log import Position, stream_segments
from gnomon.log.sealed_stream import WholeTail
from gnomon.log.segments.layout import START
from gnomon.log.table.log_table import LogTable
from gnomon.shadow.feed.progress import Totals

__all__ = ["MOST_TRIES", "Attempt", "Attempts"]

MOST_TRIES = 2
"""Deaths on the same rows before they are blamed. A single one may be an external ``kill -9``."""


FORMAT = 1

_logger = logging.getLogger("gnomon.feed")
_KIND = Format("shadow's attempt", FORMAT, absent=1)


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One try at some batches of requests.

    Attributes:
        format: the version of this file's format; absent means 1.
        epoch: the run of the shadow it belongs to.
        position: where the batches begin; the shadow has recorded everything before.
        until: where they end.
        tries: how often this attempt was begun.
        suspect: the request that is tried alone; None when the batches are tried as they are.
        crashed: requests already blamed.
        own: the end of the shadow's own stream when the attempt was begun.
        totals: the counts up to that end.
    """

    format: int = FORMAT
    epoch: int
    position: str
    until: str
    tries: int = 0
    suspect: str | None = None
    crashed: tuple[str, ...] = ()
    own: str = "0:0"
    totals: Totals = Totals()

    def blamed_until(self, position: Position) -> Position:
        """Return up to where to try requests one at a time; ``position`` if that is not needed."""
        blamed = self.suspect is not None or self.tries >= MOST_TRIES
        return max(Position.parse(self.until), position) if blamed else position


class Attempts:
    """The last attempt of a shadow's feed, in one file next to its segments.

    The file has to survive the death of a process, not a loss of power. So it is renamed into
    place but not synced, which takes some 30 microseconds per batch.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "attempt.json"
        self._aside = folder / "attempt.json.new"

    def recounted(self, epoch: int, table: LogTable) -> Attempt:
        """Return the last attempt of a feed of this run, with counts up to its last record.

        No process may be writing the shadow's stream during the call.

        Args:
            epoch: the run. If it has no attempt yet, one at the beginning is returned.
            table: the sealed log, for records that have been sealed since.

        Raises:
            LogError: a record cannot be read.
        """
        attempt = self._last(epoch)
        if attempt.totals.done and not attempt.totals.against:
            # An older version wrote it: which artifact was live is only in the records.
            attempt = msgspec.structs.replace(attempt, own=str(START), totals=Totals())
        tail = WholeTail(self._path.parent, Position.parse(attempt.own), table)
        totals = attempt.totals
        while batches := tail.poll():
            for _, records in batches:
                totals = totals.plus(records.filter(pc.equal(records.column("epoch"), epoch)))
        attempt = msgspec.structs.replace(attempt, own=str(tail.position), totals=totals)
        tail.close()
        self.begin(attempt)
        return attempt

    def begin(self, attempt: Attempt) -> None:
        """Write an attempt to disk; to be called before it is made."""
        self._aside.write_bytes(msgspec.json.encode(attempt))
        self._aside.replace(self._path)

    def _last(self, epoch: int) -> Attempt:
        """Return the attempt of this run. One that a loss of power damaged is ignored.

        Raises:
            NewerFormat: a newer version of Gnomon wrote it.
        """
        try:
            attempt = formats.read(self._path, Attempt, _KIND)
        except NewerFormat:
            raise
        except UnreadableFile as error:
            _logger.warning("the counts of this shadow start from zero: %s", error)
            attempt = None
        if attempt is not None and attempt.epoch == epoch:
            return attempt
        # No attempt of this run: its records, if there are any, are not sealed yet.
        oldest = [Position(segment.sequence, 0) for segment in stream_segments(self._path.parent)]
        return Attempt(
            epoch=epoch, position="", until="0:0", own=str(oldest[0] if oldest else START)
        )
