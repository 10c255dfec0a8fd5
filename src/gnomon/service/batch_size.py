"""How many rows a batch may have, so that what arrives meanwhile does not wait long for it."""

from __future__ import annotations

import time
from typing import NamedTuple

__all__ = ["BatchSize"]

FIRST_ROWS = 16
"""The most rows in a batch while nothing is known of a pipeline."""
CALL_SHARE = 4
"""Where a call costs much beside its rows, they may take so many times as long as it does: shorter
batches would spend more than a fifth of the worker's time on calls."""
FORGOTTEN_SECONDS = 10.0
"""A time that was measured longer ago than this is measured again: a busy machine may have been to
blame for it."""
ENOUGH_TIMES = 3
"""A size that seems too slow is tried so often before it is believed: the first batches of a worker
that was idle take ten times as long, and scored row by row a large request misses its deadline."""


class _Fastest(NamedTuple):
    """The fastest of the batches of about one size."""

    rows: int
    micros: int
    at: float
    times: int
    """How many batches of that size were measured."""


class BatchSize:
    """Keeps batches so small that one takes about ``seconds``, and as large as it can.

    A machine can only make a batch slower than it is, so the fastest of each size (by powers of
    two) is what is believed, for ten seconds; a size that seems too slow is tried three times.

    Args:
        most: the most rows in a batch.
        seconds: how long one may take; 0: as long as it wants.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._micros = seconds * 1e6
        self._fastest: dict[int, _Fastest] = {}
        self.rows = min(FIRST_ROWS, most) if seconds else most
        """The most rows in the next batch."""

    def took(self, rows: int, micros: int) -> None:
        """A batch of so many rows took so many microseconds; none, when none of it was scored."""
        if not self._micros or not micros:
            return
        now, size = time.monotonic(), rows.bit_length()
        known = self._fastest.get(size)
        if known is None or now - known.at > FORGOTTEN_SECONDS:
            self._fastest[size] = _Fastest(rows, micros, now, 1)
        elif micros <= known.micros:
            self._fastest[size] = _Fastest(rows, micros, now, known.times + 1)
        elif known.times < ENOUGH_TIMES:
            self._fastest[size] = known._replace(times=known.times + 1)
        else:
            return
        self.rows = min(max(self._enough(now), 1), self._most)

    def _enough(self, now: float) -> int:
        """Rows of the largest batch that is fast enough, as far as that is known."""
        fresh = {s: f for s, f in self._fastest.items() if now - f.at <= FORGOTTEN_SECONDS}
        known = [fresh[size] for size in sorted(fresh)]
        for fastest in known:
            call = _call_micros(known[0], max(fastest, *known[:2]))
            allowed = max(self._micros, (1 + CALL_SHARE) * call)
            if fastest.micros > allowed:
                break
        enough = int(fastest.rows * allowed / fastest.micros)
        if known == [fastest] and fastest.rows == 1:
            return max(enough, 2)  # It is not known whether the time is the row's or the call's.
        return enough if fastest.times >= ENOUGH_TIMES else max(enough, fastest.rows)


def _call_micros(small: _Fastest, large: _Fastest) -> float:
    """What a call costs beside its rows, by two of different sizes; 0 if that is not known."""
    if small.rows == large.rows:
        return 0.0
    row = max(large.micros - small.micros, 0) / (large.rows - small.rows)
    return max(small.micros - row * small.rows, 0.0)
