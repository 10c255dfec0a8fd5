"""Counts of what has been found so far, in bounded memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from gnomon.contract.check.column_judge import MOST_EXAMPLES, MOST_GOT, BrokenRule, Times
from gnomon.contract.check.contract_report import CheckExample, CheckFinding, Level, Rule

__all__ = ["BatchRows", "Label", "Tallies"]

Label = Callable[[int], int | str]

MOST_SHOWN = 5
"""How many of its counted values a finding shows."""

MOST_UNKNOWN = 1000
"""How many unknown fields are counted separately: requests can have any number."""

OTHERS = "…"
"""The name under which further unknown fields are counted."""

_Key = tuple[str, Rule, str, Level]
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class BatchRows:
    """Names and arrival times of the rows of one batch.

    Attributes:
        label: returns the name of the row at a position.
        arrived: when each row arrived, if that is known.
    """

    label: Label
    arrived: Times | None

    def example(self, place: int, got: str) -> CheckExample:
        """Return one row as an example."""
        at = self.arrived
        when = _utc_time(int(at.micros[place])) if at is not None and at.known[place] else None
        return CheckExample(row=self.label(place), got=got, at=when)


@dataclass(slots=True)
class _Tally:
    """The rows of one finding; times are microseconds since 1970."""

    rows: int = 0
    got: dict[str, int] = field(default_factory=dict)
    examples: list[CheckExample] = field(default_factory=list)
    first: int | None = None
    last: int | None = None

    def merge(self, other: _Tally) -> None:
        """Add rows that came after these."""
        self.rows += other.rows
        for value, rows in other.got.items():
            if value in self.got or len(self.got) < MOST_GOT:
                self.got[value] = self.got.get(value, 0) + rows
        self.examples = [*self.examples, *other.examples][:MOST_EXAMPLES]
        self.first = min(_known(self.first, other.first), default=None)
        self.last = max(_known(self.last, other.last), default=None)


class Tallies:
    """Counts of rows by feature, rule, expectation and level."""

    def __init__(self) -> None:
        self._tallies: dict[_Key, _Tally] = {}

    def count(self, feature: str, hit: BrokenRule, rows: BatchRows) -> None:
        """Count the rows that break a rule."""
        if not len(hit.places):
            return
        shown = zip(hit.places.tolist(), hit.examples, strict=False)
        tally = _Tally(len(hit.places), hit.got, [rows.example(*pair) for pair in shown])
        if rows.arrived is not None:
            known = rows.arrived.micros[hit.places][rows.arrived.known[hit.places]]
            if len(known):
                tally.first, tally.last = int(known.min()), int(known.max())
        self._add((feature, hit.rule, hit.expected, hit.level), tally)

    def merge(self, other: Tallies) -> None:
        """Add the counts of later rows."""
        for key, tally in other._tallies.items():
            self._add(key, tally)

    def findings(self, of: int) -> Iterator[CheckFinding]:
        """Yield what was found in ``of`` rows, in the order of first occurrence."""
        for (feature, rule, expected, level), tally in self._tallies.items():
            frequent = sorted(tally.got.items(), key=lambda pair: -pair[1])
            yield CheckFinding(
                feature=feature,
                rule=rule,
                level=level,
                expected=expected,
                got=dict(frequent[:MOST_SHOWN]),
                rows=tally.rows,
                of=of,
                share=tally.rows / of,
                examples=tuple(tally.examples),
                first=None if tally.first is None else _utc_time(tally.first),
                last=None if tally.last is None else _utc_time(tally.last),
            )

    def unknown(self) -> list[str]:
        """Return the fields that are not features."""
        return [feature for feature, rule, *_ in self._tallies if rule == "unknown"]

    def _add(self, key: _Key, tally: _Tally) -> None:
        if key[1] == "unknown" and key not in self._tallies and len(self._tallies) > MOST_UNKNOWN:
            key = (OTHERS, *key[1:])
        self._tallies.setdefault(key, _Tally()).merge(tally)


def _known(*times: int | None) -> list[int]:
    return [time for time in times if time is not None]


def _utc_time(micros: int) -> dt.datetime | None:
    try:
        return _EPOCH + dt.timedelta(microseconds=micros)
    except OverflowError:  # in a year that Python cannot represent
        return None
