"""The requests that a feed reads, with the rows that the shadow must score."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.log import Position
from gnomon.log.sampling import eligible
from gnomon.log.sealed_stream import WholeTail
from gnomon.log.table.log_table import LogTable

__all__ = ["Reading", "Source"]

READ_ROWS = 8_192
READ_BATCHES = 512

Logged = tuple[Position, pa.RecordBatch]
"""A batch as it was logged, and the position after it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Consecutive logged batches of one schema, as one batch.

    Attributes:
        batch: all rows of the logged batches; a request's body is in its row 0.
        eligible: the mask of rows to score.
        ends: the position after each logged batch.
        sizes: the rows in each logged batch.
    """

    batch: pa.RecordBatch
    eligible: npt.NDArray[np.bool_]
    ends: tuple[Position, ...]
    sizes: tuple[int, ...]

    @property
    def rows(self) -> int:
        """The number of rows to score."""
        return int(self.eligible.sum())

    @property
    def end(self) -> Position:
        """The position after the last batch."""
        return self.ends[-1]

    @property
    def arrived(self) -> int:
        """When the first row to score arrived, in microseconds since 1970."""
        first = int(np.flatnonzero(self.eligible)[0])
        return int(self.batch.column("arrived")[first].value)

    @property
    def recorded(self) -> Position:
        """The position after the last batch with a row to score; its record has this position."""
        last = int(np.flatnonzero(self.eligible)[-1])
        return self.ends[int(np.searchsorted(np.cumsum(self.sizes), last, side="right"))]

    @property
    def requests(self) -> list[str]:
        """The ids of the requests with rows to score."""
        return pc.unique(self.live().column("request_id")).to_pylist()  # type: ignore[no-any-return]

    def live(self) -> pa.RecordBatch:
        """Return the rows to score, as live answered them."""
        return self.batch.filter(pa.array(self.eligible))

    def bodies(self) -> dict[str, bytes | None]:
        """Return the body of each request."""
        first = self.batch.filter(pc.equal(self.batch.column("row"), 0))
        ids, raw = first.column("request_id").to_pylist(), first.column("raw").to_pylist()
        return dict(zip(ids, raw, strict=True))

    def addresses(self) -> tuple[pa.Array, pa.Array]:
        """Return, for each row to score, the segment and the end of its logged batch."""
        segments = np.repeat([end.segment for end in self.ends], self.sizes)
        offsets = np.repeat([end.offset for end in self.ends], self.sizes)
        return pa.array(segments[self.eligible], pa.string()), pa.array(offsets[self.eligible])

    def alone(self, request: str) -> Source:
        """Return this source with only the rows of one request to score."""
        of_request = np.asarray(pc.equal(self.batch.column("request_id"), request))
        return Source(self.batch, self.eligible & of_request, self.ends, self.sizes)

    def cut(self, most: Callable[[], int]) -> Iterator[Source]:
        """Yield parts with up to ``most()`` rows to score; ``most`` is called for every part.

        A logged batch is never cut.
        """
        starts = np.concatenate(([0], np.cumsum(self.sizes)))
        counts = np.add.reduceat(self.eligible, starts[:-1], dtype=np.int64).tolist()
        begin = rows = 0
        for index, count in enumerate(counts):
            if rows and count and rows + count > most():
                yield self._part(begin, index, starts)
                begin, rows = index, 0
            rows += count
        yield self._part(begin, len(counts), starts)

    def _part(self, begin: int, end: int, starts: npt.NDArray[np.int64]) -> Source:
        rows = slice(int(starts[begin]), int(starts[end]))
        batch = self.batch.slice(rows.start, rows.stop - rows.start)
        return Source(batch, self.eligible[rows], self.ends[begin:end], self.sizes[begin:end])


class Reading:
    """A reader of a slice's requests, as they are logged, in sources.

    Handling many small batches one by one would cost more than scoring them, so the batches
    that are available are joined, up to some thousand rows. Requests that were sealed before they
    were read are read from the table.

    Args:
        folder: the requests stream.
        position: where to begin.
        entity_key: the features the shadow samples by.
        fraction: the sampled fraction of the entities, or of the requests.
        table: the sealed log.
    """

    def __init__(
        self,
        folder: Path,
        position: Position,
        entity_key: Sequence[str],
        fraction: float,
        table: LogTable,
    ) -> None:
        self._tail = WholeTail(folder, position, table)
        self._entity_key = entity_key
        self._fraction = fraction
        self._most = 1
        self.at_end = False
        """Whether the last :meth:`poll` reached the end of the requests."""

    @property
    def position(self) -> Position:
        """The end of the requests read so far."""
        return self._tail.position

    def poll(self) -> list[Source]:
        """Return the requests logged since the last call; empty at the end.

        Raises:
            LogError: a segment is damaged, or the table cannot be read.
        """
        batches = self._tail.poll(self._most)
        self.at_end = len(batches) < self._most
        rows = sum(batch.num_rows for _, batch in batches)
        if batches:
            self._most = min(max(len(batches) * READ_ROWS // max(rows, 1), 1), READ_BATCHES)
        return list(self._sources(batches))

    def close(self) -> None:
        """Close the files."""
        self._tail.close()

    def _sources(self, logged: Sequence[Logged]) -> Iterator[Source]:
        non_empty = [(end, batch) for end, batch in logged if batch.num_rows]
        for _, run in itertools.groupby(non_empty, key=lambda entry: entry[1].schema):
            ends, batches = zip(*run, strict=True)
            batch = pa.concat_batches(batches)
            mask = eligible(batch, self._entity_key, self._fraction)
            yield Source(batch, mask, ends, tuple(batch.num_rows for batch in batches))
