"""What a feed is about to do, written down first, so that a row cannot kill it for ever."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pyarrow.compute as pc

from gnomon import formats
from gnomon.errors import NewerFormat, UnreadableFile
from gnomon.formats import Format
from gnomon.log import Position, stream_segments
from gnomon.log.layout import START
from gnomon.log.sealed_stream import WholeTail
from gnomon.log.table import LogTable
from gnomon.shadow.feed.progress import Totals

__all__ = ["MOST_TRIES", "Attempt", "Attempts"]

MOST_TRIES = 2
"""Deaths on one thing before it is blamed. One alone may be anybody's ``kill -9``."""


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
        tries: how often this was begun.
        suspect: the request that is tried alone; None when the batches are tried whole.
        crashed: requests already blamed.
        own: the end of the shadow's own stream when it was begun.
        totals: the counts up to there.
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
        """The end of what must be tried one request at a time; ``position`` if nothing must."""
        blamed = self.suspect is not None or self.tries >= MOST_TRIES
        return max(Position.parse(self.until), position) if blamed else position


class Attempts:
    """The last attempt of a shadow's feed, in one file beside its segments.

    Only the death of processes is guarded against, so it is renamed into place but not synced:
    some 30 microseconds a batch.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "attempt.json"
        self._aside = folder / "attempt.json.new"

    def recounted(self, epoch: int, table: LogTable) -> Attempt:
        """The attempt a feed of this run left behind, its counts brought up to its last record.

        Nobody writes the shadow's stream now.

        Args:
            epoch: the run. Without an attempt of it, one at the beginning.
            table: where records are that have been sealed since.

        Raises:
            LogError: a record cannot be read.
        """
        attempt = self._last(epoch)
        own = WholeTail(self._path.parent, Position.parse(attempt.own), table)
        totals = attempt.totals
        while found := own.poll():
            for _, records in found:
                totals = totals.plus(records.filter(pc.equal(records.column("epoch"), epoch)))
        attempt = msgspec.structs.replace(attempt, own=str(own.position), totals=totals)
        own.close()
        self.begin(attempt)
        return attempt

    def begin(self, attempt: Attempt) -> None:
        """Write an attempt down before it is made."""
        self._aside.write_bytes(msgspec.json.encode(attempt))
        self._aside.replace(self._path)

    def _last(self, epoch: int) -> Attempt:
        """The attempt of this run. One that a loss of power damaged is as good as none.

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
        # None of this run: what it has recorded, if anything, is not sealed yet.
        oldest = [Position(segment.sequence, 0) for segment in stream_segments(self._path.parent)]
        return Attempt(
            epoch=epoch, position="", until="0:0", own=str(oldest[0] if oldest else START)
        )
