"""Two sides that read the same instants on clocks of different zones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import numpy.typing as npt

from gnomon.shadow.report.numbers import number, plural

if TYPE_CHECKING:
    from gnomon.shadow.diagnosis.causes import Case

__all__ = ["Shift", "find"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_PROBED_ROWS = 96
_HOLDS = 0.99

_FAMILIAR = (
    "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
    "America/Sao_Paulo", "Europe/London", "Europe/Berlin", "Europe/Athens", "Europe/Moscow",
    "Asia/Dubai", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney",
)  # fmt: skip
"""Named first where several zones have the same clock over the range of the rows."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A move from UTC to a zone's clock (``sign`` 1) or back (-1) that makes the sides agree.

    Attributes:
        feature: the timestamp that was moved; None when it is the column itself.
        hours: what each row was moved by.
        left: the left side's column after the move.
    """

    zone: str
    sign: int
    hours: Floats
    left: Floats
    feature: str | None
    moments: Floats

    @property
    def undone(self) -> str:
        """How the left side was repaired."""
        clock = f"{'to' if self.sign > 0 else 'from'} the clock of {self.zone}"
        if self.feature is None:
            return f"Moved {clock}"
        return f"With `{self.feature}` moved {clock} and run again"

    @property
    def moved(self) -> tuple[str, Floats] | None:
        """The feature and its values after the move."""
        return (self.feature, self.moments + self.hours) if self.feature else None

    def finding(self, names: tuple[str, str]) -> str:
        """``is 4 hours ahead of offline, as UTC is ahead of America/New_York``."""
        hours = self.hours[np.isfinite(self.moments)]
        low, high = sorted((abs(float(hours.min())), abs(float(hours.max()))))
        amount = plural_hours(low) if low == high else f"{number(low)} to {plural_hours(high)}"
        ahead = float(hours.mean()) < 0
        first, second = ("UTC", self.zone) if self.sign > 0 else (self.zone, "UTC")
        direction = "ahead of" if ahead else "behind"
        return f"is {amount} {direction} {names[1]}, as {first} is {direction} {second}"


def plural_hours(hours: float) -> str:
    """``1 hour``, ``5.5 hours``."""
    return plural(int(hours), "hour") if float(hours).is_integer() else f"{number(hours)} hours"


def find(case: Case) -> Shift | None:
    """The zone whose clock, put in place of the left side's, makes the two sides agree."""
    if case.is_timestamp:
        return _of_column(case)
    for feature, moments in case.moments.items():
        found = _of_feature(case, feature, moments)
        if found is not None:
            return found
    return None


def _of_column(case: Case) -> Shift | None:
    """The column is a timestamp: its own values are moved."""
    rows = _probe(case)
    apart = (case.right - case.left)[rows]
    for sign, moments in ((1, case.left), (-1, case.right)):
        for zone in _zones(case):
            if (np.abs(sign * _offsets(zone, moments[rows]) - apart) < 1e-9).mean() >= _HOLDS:
                hours = sign * _offsets(zone, moments)
                return Shift(zone, sign, hours, case.left + hours, None, case.left)
    return None


def _of_feature(case: Case, feature: str, moments: Floats) -> Shift | None:
    """The column is computed from a timestamp: that is moved, and the same code run again."""
    if case.moved is None:
        return None
    rows = _probe(case)
    known = {zone: _offsets(zone, moments[rows]) for zone in _zones(case)}
    steps = sorted(
        {sign * step for o in known.values() for step in np.unique(o) for sign in (1, -1)}
    )
    agrees = dict(zip(steps, _try_steps(case, feature, moments, rows, steps), strict=True))
    for zone, offsets in known.items():
        for sign in (1, -1):
            good = [agrees[sign * o][i] for i, o in enumerate(offsets.tolist())]
            if np.mean(good) < _HOLDS:
                continue
            hours = sign * _offsets(zone, moments)
            every = np.arange(len(moments))
            left = case.moved(feature, every, moments + hours)
            if case.agree(left, case.right).mean() >= _HOLDS:
                return Shift(zone, sign, hours, left, feature, moments)
    return None


def _try_steps(
    case: Case, feature: str, moments: Floats, rows: npt.NDArray[np.int64], steps: list[float]
) -> Iterator[Mask]:
    """For each number of hours, which of the rows agree when moved by as many."""
    assert case.moved is not None
    again = np.tile(rows, len(steps))
    moved = case.moved(feature, again, moments[again] + np.repeat(steps, len(rows)))
    for at in range(len(steps)):
        yield case.agree(moved[at * len(rows) : (at + 1) * len(rows)], case.right[rows])


def _probe(case: Case) -> npt.NDArray[np.int64]:
    """A few rows that differ and a few that agree, spread evenly."""
    found = [np.flatnonzero(case.differs), np.flatnonzero(~case.differs)]
    return np.concatenate(
        [rows[:: max(len(rows) // _PROBED_ROWS, 1)][:_PROBED_ROWS] for rows in found]
    )


def _zones(case: Case) -> tuple[str, ...]:
    """Every zone, those the contract names and familiar ones first."""
    return tuple(dict.fromkeys((*(z for z in case.zones if z != "UTC"), *_FAMILIAR, *_all_zones())))


@cache
def _all_zones() -> tuple[str, ...]:
    return tuple(sorted(z for z in available_timezones() if "/" in z and not z.startswith("Etc/")))


def _offsets(zone: str, moments: Floats) -> Floats:
    """The zone's offset from UTC, in hours, at each moment; 0 where there is none."""
    clock = ZoneInfo(zone)
    hours, places = np.unique(np.floor(moments), return_inverse=True)
    found = np.array([_offset(clock, hour) for hour in hours.tolist()])
    offsets: Floats = found[places]
    return offsets


def _offset(clock: ZoneInfo, hour: float) -> float:
    if not np.isfinite(hour):
        return 0.0
    offset = (
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hour)).astimezone(clock).utcoffset()
    )
    assert offset is not None
    return offset.total_seconds() / 3600
