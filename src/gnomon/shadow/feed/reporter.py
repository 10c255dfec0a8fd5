"""The thread of a feed that reports progress, counts the lag and watches the parent socket."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec
import numpy as np
import pyarrow as pa

from gnomon.errors import GnomonError
from gnomon.log import Position
from gnomon.shadow.feed.progress import Progress, Totals
from gnomon.shadow.feed.source import Reading
from gnomon.shadow.shadow_counts import Latency, ShadowCounts

__all__ = ["Reporter"]

REPORT_SECONDS = 0.5
COUNT_SECONDS = 0.25
KEPT_TIMES = 1_000


class Reporter(threading.Thread):
    """A thread that reports the feed's progress to the gateway, even while one batch takes long.

    When the parent socket closes, the thread ends the process at once: all finished work is in
    the feed's log.

    Args:
        parent_socket: the socket to the gateway.
        reading: a second reading of the requests, for counting, from the feed's position.
        totals: the counts of earlier feeds.
        fsync: forces the feed's records to disk.
    """

    def __init__(
        self,
        parent_socket: socket.socket,
        reading: Reading,
        totals: Totals,
        fsync: Callable[[], None],
    ) -> None:
        super().__init__(name="reporter", daemon=True)
        self.worker: int | None = None
        """The process id of the feed's worker."""
        self._waiting: deque[tuple[int, int]] = deque()
        self._trouble: str | None = None
        self._parent_socket = parent_socket
        self._reading = reading
        self._fsync = fsync
        self._done_before = totals.done
        self._eligible = 0
        self._done = (totals, reading.position)
        self._end: tuple[Position, int] | None = None
        self._micros: deque[float] = deque(maxlen=KEPT_TIMES)

    def done(self, totals: Totals, position: Position, records: pa.RecordBatch | None) -> None:
        """Set the totals and the position that the feed has recorded."""
        self._done, self._trouble = (totals, position), None
        if records is not None:
            self._micros.extend(records.column("scored_us").drop_null().unique().to_pylist())

    def at_end(self, position: Position) -> None:
        """Record that the feed has read all requests, up to ``position``: no row lags now.

        Counted rows may be removed by retention before the feed reads them.
        """
        self._end = (position, self._done[0].done)

    def trouble(self, message: str) -> None:
        """Report an error that stops the feed's work, until the next :meth:`done`."""
        self._trouble = message

    def run(self) -> None:
        """Report until the parent socket closes, then end the process."""
        try:
            while True:
                self._parent_socket.sendall(msgspec.json.encode(self._progress()) + b"\n")
                readable, _, _ = select.select([self._parent_socket], [], [], REPORT_SECONDS)
                if readable and not self._parent_socket.recv(4096):
                    break
        except OSError:
            pass
        os._exit(0)

    def _progress(self) -> Progress:
        count_error: str | None = None
        try:
            self._count_eligible()
            self._fsync()
        except GnomonError as trouble:
            count_error = str(trouble)
        end = self._end
        if end is not None and end[0] == self._reading.position:
            self._done_before = end[1] - self._eligible
        totals, position = self._done
        error = self._trouble or count_error  # Of these totals, not of those before the counting.
        lagging = max(self._done_before + self._eligible - totals.done, 0)
        micros = tuple(self._micros)
        return Progress(
            **{name: getattr(totals, name) for name in ShadowCounts.__struct_fields__},
            against=totals.against,
            position=str(position),
            lagging=lagging,
            came_to_end=end is not None,
            behind_seconds=self._behind(totals.done - self._done_before) if lagging else 0.0,
            difference=totals.apart / totals.measured if totals.measured else None,
            latency_ms=_latency(micros) if micros else None,
            worker=self.worker,
            error=error,
        )

    def _count_eligible(self) -> None:
        """Count to the end of the requests, for a limited time so that reports are not delayed."""
        deadline = time.monotonic() + COUNT_SECONDS
        while time.monotonic() < deadline and (sources := self._reading.poll()):
            for source in sources:
                if source.rows:
                    self._eligible += source.rows
                    self._waiting.append((self._eligible, source.arrived))

    def _behind(self, done: int) -> float:
        """Return the seconds since the oldest waiting row arrived, or one read together with it."""
        while self._waiting and self._waiting[0][0] <= done:
            self._waiting.popleft()
        return max(time.time() - self._waiting[0][1] / 1e6, 0.0) if self._waiting else 0.0


def _latency(micros: tuple[float, ...]) -> Latency:
    p50, p99 = np.quantile(micros, (0.5, 0.99)) / 1000
    return Latency(p50=float(p50), p99=float(p99))
