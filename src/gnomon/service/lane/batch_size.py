"""The number of rows a batch may have, so that later requests do not wait long for it."""

from __future__ import annotations

import time
from typing import NamedTuple

__all__ = ["BatchSize"]

FIRST_ROWS = 16
"""The most rows in a batch before a pipeline's times are known."""
CALL_SHARE = 4
"""If a call has a high fixed cost, the rows of a batch may take up to this many times as long:
shorter batches would spend more than a fifth of the worker's time on fixed costs."""
FORGOTTEN_SECONDS = 10.0
"""A time that was measured longer ago than this is measured again: it may have been taken on a busy
machine."""
ENOUGH_TIMES = 3
"""How often a size is tried before it counts as too slow: the first batches of a worker that was
idle take ten times as long, and a large request scored row by row would miss its deadline."""


class _Fastest(NamedTuple):
    """The fastest of the batches of about one size."""

    rows: int
    micros: int
    at: float
    times: int
    """How many batches of that size were measured."""


class BatchSize:
    """The largest batch size with which a batch takes at most about ``seconds``.

    Load on the machine can only make a batch slower, so for each size (by powers of two) the
    fastest time of the last ten seconds counts; a size that seems too slow is tried three times.

    Args:
        most: the most rows in a batch.
        seconds: how long one batch may take; 0: no limit.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._micros = seconds * 1e6
        self._fastest: dict[int, _Fastest] = {}
        self.rows = min(FIRST_ROWS, most) if seconds else most
        """The most rows in the next batch."""

    def took(self, rows: int, micros: int) -> None:
        """Record the time of a batch in microseconds; 0 if none of its rows was scored."""
        if not self._micros or not micros:
            return
        now, size = time.monotonic(), rows.bit_length()
        fastest = self._fastest.get(size)
        if fastest is None or now - fastest.at > FORGOTTEN_SECONDS:
            self._fastest[size] = _Fastest(rows, micros, now, 1)
        elif micros <= fastest.micros:
            self._fastest[size] = _Fastest(rows, micros, now, fastest.times + 1)
        elif fastest.times < ENOUGH_TIMES:
            self._fastest[size] = fastest._replace(times=fastest.times + 1)
        else:
            return
        self.rows = min(max(self._enough(now), 1), self._most)

    def _enough(self, now: float) -> int:
        """Return the rows of the largest batch that is fast enough, as far as times are known."""
        fresh = {s: f for s, f in self._fastest.items() if now - f.at <= FORGOTTEN_SECONDS}
        known = [fresh[size] for size in sorted(fresh)]
        for fastest in known:
            call = _call_micros(known[0], max(fastest, *known[:2]))
            allowed = max(self._micros, (1 + CALL_SHARE) * call)
            if fastest.micros > allowed:
                break
        enough = int(fastest.rows * allowed / fastest.micros)
        if known == [fastest] and fastest.rows == 1:
            return max(enough, 2)  # One size cannot separate the cost of a row from that of a call.
        return enough if fastest.times >= ENOUGH_TIMES else max(enough, fastest.rows)


def _call_micros(small: _Fastest, large: _Fastest) -> float:
    """Return the fixed cost of a call, from two batches of different sizes; 0 if it is unknown."""
    if small.rows == large.rows:
        return 0.0
    row = max(large.micros - small.micros, 0) / (large.rows - small.rows)
    return max(small.micros - row * small.rows, 0.0)
