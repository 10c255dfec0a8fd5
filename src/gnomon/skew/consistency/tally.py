"""What a comparison remembers while it reads: sums over all rows, and a sample of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.compare.comparators import compare
from gnomon.compare.comparison import Comparison
from gnomon.contract import Contract
from gnomon.errors import PolicyError
from gnomon.log.bodies import begins
from gnomon.log.sampling import unit
from gnomon.offline.logged import Rows
from gnomon.policy import Rules
from gnomon.skew.consistency.over_time import Courses

__all__ = ["Pairs", "Sample", "Tally", "TimeBuckets", "about", "with_columns"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows with both their sides, as three tables of as many rows.

    Attributes:
        about: ``request_id``, ``row``, ``arrived``, ``client_id``, ``moment`` (event time, or
            arrival where there is none) and ``key_<name>``.
        left: features and outputs on the left.
        right: those the right side has.
    """

    about: pa.Table
    left: pa.Table
    right: pa.Table

    @property
    def num_rows(self) -> int:
        """How many."""
        return int(self.about.num_rows)

    def take(self, places: npt.NDArray[np.int64]) -> Pairs:
        """Some of them, in the given order."""
        return Pairs(*(t.take(pa.array(places)) for t in (self.about, self.left, self.right)))

    @classmethod
    def concat(cls, parts: Sequence[Pairs]) -> Pairs:
        """All of them."""
        about, left, right = (
            # A column may be of nulls only, or of whole numbers, in one part and not in another.
            pa.concat_tables(tables, promote_options="permissive").combine_chunks()
            for tables in zip(*((p.about, p.left, p.right) for p in parts), strict=True)
        )
        return cls(about, left, right)


class Sample:
    """At most ``size`` rows, each as likely to be kept as any other.

    Keeps the rows with the smallest hashes of their ids (bottom-k sampling, Cohen and Kaplan, PODC
    2007), so that the same rows give the same sample in whatever order and batches they come.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._below = 1.0
        self._parts: list[tuple[Floats, Pairs]] = []
        self._held = 0
        self.seen = 0

    def add(self, places: Floats, pairs: Pairs) -> None:
        """Offer rows, each with its place in [0, 1)."""
        self.seen += len(places)
        chosen = np.flatnonzero(places < self._below)
        if len(chosen):
            self._parts.append((places[chosen], pairs.take(chosen)))
            self._held += len(chosen)
        if self._held > 2 * self._size:
            self._shrink()

    def pairs(self) -> Pairs | None:
        """The rows kept, by place; None when none were offered."""
        if not self._parts:
            return None
        self._shrink()
        return self._parts[0][1]

    def _shrink(self) -> None:
        places = np.concatenate([places for places, _ in self._parts])
        order = np.argsort(places, kind="stable")[: self._size]
        kept = Pairs.concat([pairs for _, pairs in self._parts]).take(order)
        if len(places) > self._size:
            self._below = float(places[order[-1]])
        self._parts, self._held = [(places[order], kept)], len(order)


_GOLDEN = (5**0.5 - 1) / 2

_DAY = 86_400
_WIDTHS = (
    1, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 43_200,
    _DAY, 7 * _DAY, 28 * _DAY, 364 * _DAY, 3_640 * _DAY,
)  # fmt: skip
"""Seconds, each a whole multiple of the one before, so that buckets merge without a rest."""

_MOST_BUCKETS = 60
_HELD_BUCKETS = 4_000


@dataclass(slots=True)
class TimeBuckets:
    """Rows and diverging rows by time, in buckets that widen as the range grows.

    Attributes:
        seconds: the width of a bucket.
        counts: bucket number (seconds since 1970 over the width) to rows and diverging rows.
        first: when the first diverging row was, in seconds since 1970, and its request.
        last: when the last was.
    """

    seconds: int = _WIDTHS[0]
    counts: dict[int, tuple[int, int]] = field(default_factory=dict)
    first: tuple[float, str] | None = None
    last: float | None = None

    def add(self, moments: Floats, diverged: Mask, requests: pa.ChunkedArray) -> None:
        """Count rows at ``moments``, seconds since 1970; NaN is left out."""
        known = np.flatnonzero(np.isfinite(moments))
        moments, diverged = moments[known], diverged[known]
        numbers = np.floor(moments / self.seconds).astype(np.int64)
        found, places = np.unique(numbers, return_inverse=True)
        rows = np.bincount(places, minlength=len(found)).tolist()
        bad = np.bincount(places, weights=diverged, minlength=len(found)).astype(int).tolist()
        for number, n, b in zip(found.tolist(), rows, bad, strict=True):
            before = self.counts.get(number, (0, 0))
            self.counts[number] = (before[0] + n, before[1] + b)
        if diverged.any():
            times = np.where(diverged, moments, np.inf)
            earliest = int(times.argmin())
            request = requests[int(known[earliest])].as_py()
            self.first = min(self.first or (np.inf, ""), (float(times[earliest]), request))
            self.last = max(self.last or -np.inf, float(moments[diverged].max()))
        while len(self.counts) > _HELD_BUCKETS and self._widen():
            pass

    def settle(self) -> None:
        """Widen until the whole range is a few dozen buckets."""
        while (
            self.counts and max(self.counts) - min(self.counts) >= _MOST_BUCKETS and self._widen()
        ):
            pass

    def _widen(self) -> bool:
        wider = next((w for w in _WIDTHS if w > self.seconds), None)
        if wider is None:
            return False
        old, self.counts = self.counts, {}
        for number, (rows, bad) in old.items():
            place = number * self.seconds // wider
            before = self.counts.get(place, (0, 0))
            self.counts[place] = (before[0] + rows, before[1] + bad)
        self.seconds = wider
        return True


@dataclass(slots=True)
class Tally:
    """Everything a report needs of the rows read so far, in bounded memory.

    Raises:
        PolicyError: nothing is judged.

    Attributes:
        judged: the columns the verdict rests on.
        others: columns compared beside them.
        sample_rows: rows kept of those that agree, and as many of those that diverge.
        main: sums over the judged columns.
        side: sums over the others.
        exact: rows with every judged column equal to the bit.
        time: rows and diverging rows by time.
        courses: every column by time.
    """

    judged: Rules
    others: Rules
    sample_rows: int
    main: Comparison = field(default_factory=lambda: Comparison(keep=0))
    side: Comparison = field(default_factory=lambda: Comparison(keep=0))
    exact: int = 0
    time: TimeBuckets = field(default_factory=TimeBuckets)
    courses: Courses = field(default_factory=Courses)
    agreeing: Sample = field(init=False)
    diverging: Sample = field(init=False)

    def __post_init__(self) -> None:
        if not self.judged.comparators:
            raise PolicyError(
                "the policy ignores every column that could be compared",
                hint='a column is ignored by kind = "ignore" under [skew] or [compare]',
            )
        self.agreeing = Sample(self.sample_rows)
        self.diverging = Sample(self.sample_rows)

    def add(self, pairs: Pairs) -> None:
        """Count rows and offer them to the sample."""
        if not pairs.num_rows:
            return
        compared = compare(pairs.left, pairs.right, self.judged)
        self.main.add(compared)
        beside = compare(pairs.left, pairs.right, self.others)
        self.side.add(beside)
        exact = np.ones(pairs.num_rows, dtype=bool)
        for column in compared.columns.values():
            exact &= column.exact
        self.exact += int(exact.sum())
        moments = seconds(pairs.about.column("moment"))
        self.time.add(moments, ~compared.agreed, pairs.about.column("request_id"))
        self.courses.add(moments, {**compared.columns, **beside.columns})
        found = pa.table({"flipped": compared.flipped, "difference": compared.difference})
        rows = Pairs(with_columns(pairs.about, found), pairs.left, pairs.right)
        places = row_places(pairs.about)
        for sample, mask in ((self.agreeing, compared.agreed), (self.diverging, ~compared.agreed)):
            chosen = np.flatnonzero(mask)
            if len(chosen):
                sample.add(places[chosen], rows.take(chosen) if len(chosen) < len(mask) else rows)


def about(rows: Rows, contract: Contract, keys: pa.Table) -> pa.Table:
    """What :attr:`Pairs.about` says of logged rows; they are named by ``keys``."""
    event_time = contract.event_time
    moment = rows.envelope.column("arrived")
    if event_time:
        moment = pc.coalesce(rows.inputs.column(event_time), moment)
    named = keys.rename_columns([f"key_{name}" for name in keys.column_names])
    envelope = rows.envelope.select(["request_id", "row", "arrived", "client_id"])
    return with_columns(envelope.append_column("moment", moment), named)


def with_columns(table: pa.Table, more: pa.Table) -> pa.Table:
    """A table with another's columns after its own."""
    return pa.table(
        [*table.columns, *more.columns], names=[*table.column_names, *more.column_names]
    )


def row_ids(about: pa.Table) -> list[str]:
    """``<request id>/<row>`` of each row."""
    ids: list[str] = pc.binary_join_element_wise(
        about.column("request_id"), about.column("row").cast(pa.string()), "/"
    ).to_pylist()
    return ids


def row_places(about: pa.Table) -> Floats:
    """Each row's fixed place in [0, 1), wherever it is met, for a :class:`Sample`.

    The request's place, then the fractional parts of multiples of the golden ratio by row number,
    which are evenly spread (Knuth, The Art of Computer Programming 3, 6.4, theorem S).
    """
    first = begins(about.column("request_id"))
    requests = unit(about.column("request_id").take(pa.array(first)).to_pylist())
    repeated = np.repeat(requests, np.diff(np.append(first, about.num_rows)))
    places: Floats = (repeated + about.column("row").to_numpy() * _GOLDEN) % 1.0
    return places


def seconds(times: pa.ChunkedArray) -> Floats:
    """Timestamps as seconds since 1970; null as NaN."""
    micros = pc.cast(times.cast(pa.timestamp("us", tz="UTC")), pa.int64())
    found: Floats = micros.to_numpy().astype(np.float64) / 1e6
    return found
