"""Causes: instants read in different time zones, and dates with day and month exchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import numpy.typing as npt
import pandas as pd

from gnomon.quantities import number, plural
from gnomon.skew.diagnosis.case import CONFIRMED, FEWEST_ROWS, Case, Mask, Proposal
from gnomon.tolerances import CLOCK_HOURS, INSTANT_HOURS

__all__ = ["UNTOLD", "ZoneOffset", "day_and_month", "swapped", "time_zone", "zone_offsets"]

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

_PROBED_ROWS = 96

_MOST_CLOCKS = 24
"""So many clocks that fit a sample are held against all rows."""

_MOST_UNSURE = 1.0
"""Hours. Within less, whole hours do not tell clocks apart, and the familiar one is named."""

_MOST_SUMMER = 2.0
"""The largest number of hours by which daylight saving time moves a clock."""

_FAMILIAR = (
    "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
    "America/Sao_Paulo", "Europe/London", "Europe/Berlin", "Europe/Athens", "Europe/Moscow",
    "Asia/Dubai", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney",
)  # fmt: skip
"""Tried first, so that these are named where several zones have the same offsets for the rows."""

UNTOLD = "the rows do not tell which"
"""Said where several clocks, hours apart, explain the rows equally well."""

_ACTION = "Read the same time zone's clock on both sides, by name and never by a constant offset."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ZoneOffset:
    """The hours between UTC and a time zone's clock at any instant.

    Attributes:
        zone: the time zone.
        sign: 1 from UTC to the zone's clock, -1 from the zone's clock to UTC.
        summer: only the shift by daylight saving time, as where a constant offset is used.
    """

    zone: str
    sign: int
    summer: bool = False

    def hours(self, times: Floats) -> Floats:
        """Return the hours to add to each of ``times``, in hours since 1970; 0 for NaN."""
        offsets = _offsets(self.zone, times)
        if self.summer:
            offsets = offsets - _winter(self.zone)
            offsets[np.abs(offsets) > _MOST_SUMMER] = 0.0  # another standard offset then
        return self.sign * offsets

    def describe(self, hours: Floats, names: tuple[str, str]) -> str:
        """Describe it, as ``is 4 hours ahead of offline, as UTC is ahead of America/New_York``."""
        low, high = sorted((abs(float(hours.min())), abs(float(hours.max()))))
        if self.summer:
            return f"is {_hours(high)} from {names[1]} while {self.zone} has daylight saving time"
        amount = _hours(low) if low == high else f"{number(low)} to {_hours(high)}"
        direction = "ahead of" if float(hours.mean()) < 0 else "behind"
        first, second = ("UTC", self.zone) if self.sign > 0 else (self.zone, "UTC")
        return f"is {amount} {direction} {names[1]}, as {first} is {direction} {second}"

    @property
    def clock(self) -> str:
        """The direction of a move by it, such as ``to the clock of Asia/Tokyo``."""
        what = "daylight saving time" if self.summer else "the clock"
        return f"{'to' if self.sign > 0 else 'from'} {what} of {self.zone}"


def time_zone(case: Case) -> Iterator[Proposal]:
    """Propose that the two sides use different time zones."""
    if case.differs.sum() < FEWEST_ROWS:
        return
    if case.is_timestamp:
        yield from _timestamp_proposals(case)
    elif case.is_numeric and case.moved is not None:
        for feature, times in case.context.feature_times.items():
            yield from _input_proposals(case, feature, times)
    elif case.is_numeric and case.kind == "feature":
        yield from _reading_proposals(case)


def day_and_month(case: Case) -> Iterator[Proposal]:
    """Propose that day and month are exchanged where both readings are valid."""
    if case.differs.sum() < FEWEST_ROWS:
        return
    if case.is_timestamp:
        for side, other in (
            (case.right_numbers, case.left_numbers),
            (case.left_numbers, case.right_numbers),
        ):
            exchanged = swapped(side)
            holds = case.finite & np.where(
                np.isfinite(exchanged), np.abs(exchanged - other) < CLOCK_HOURS, case.agrees
            )
            if case.is_enough(holds):
                yield _exchange_proposal(holds)
                return
    elif case.is_numeric and case.moved is not None:
        for feature, times in case.context.feature_times.items():
            rows = np.flatnonzero(case.both)
            exchanged = swapped(times)
            if not np.isfinite(exchanged[rows]).any():
                continue
            results = np.full(len(times), np.nan)
            results[rows] = case.moved(
                feature, rows, np.where(np.isfinite(exchanged), exchanged, times)[rows]
            )
            holds = case.both & case.near(results, case.right_numbers)
            if holds.sum() >= case.enough:
                yield _exchange_proposal(
                    holds, (feature, np.where(np.isfinite(exchanged), exchanged, times))
                )
                return


@cache
def _swap(hour: int) -> float:
    time = _EPOCH + timedelta(hours=hour)
    if time.day > 12 or time.day == time.month:
        return np.nan
    return (time.replace(day=time.month, month=time.day) - _EPOCH).total_seconds() / 3600


def swapped(times: Floats) -> Floats:
    """Exchange day and month of each time; NaN where that gives no other valid date."""
    whole = np.floor(np.nan_to_num(times)).astype(np.int64)
    distinct, places = np.unique(whole, return_inverse=True)
    exchanged = np.array([_swap(int(hour)) for hour in distinct.tolist()])
    times_exchanged: Floats = exchanged[places] + np.where(
        np.isfinite(times), times - np.floor(times), np.nan
    )
    return times_exchanged


def _timestamp_proposals(case: Case) -> Iterator[Proposal]:
    """Propose zones for a timestamp column, by moving its values."""
    rows = _probe(case)
    difference = (case.right_numbers - case.left_numbers)[rows]
    for offset in zone_offsets(case.context.zones):
        times = case.left_numbers if offset.sign > 0 else case.right_numbers
        if (np.abs(offset.hours(times[rows]) - difference) < INSTANT_HOURS).mean() < CONFIRMED:
            continue
        hours = offset.hours(times)
        moved = np.abs(case.left_numbers + hours - case.right_numbers) < CLOCK_HOURS
        holds = case.finite & moved
        if (holds & case.differs).any():
            yield _zone_proposal(case, offset, hours, holds, f"Moved {offset.clock}")
            return


def _input_proposals(case: Case, feature: str, times: Floats) -> Iterator[Proposal]:
    """Propose zones for a column computed from a timestamp, by moving it and running the code."""
    assert case.moved is not None
    rows = _probe(case)
    if not np.isfinite(times[rows]).any():
        return
    offsets = list(zone_offsets(case.context.zones))
    known = {offset: offset.hours(times[rows]) for offset in offsets}
    steps = sorted({float(step) for hours in known.values() for step in np.unique(hours)})
    agrees = dict(zip(steps, _try_steps(case, feature, times, rows, steps), strict=True))
    for of in (np.ones(len(rows), dtype=bool), case.differs[rows]):  # Everywhere, or on a part.
        fitting: dict[bytes, ZoneOffset] = {}
        for offset in offsets:
            agreements = np.array(
                [agrees[hours][i] for i, hours in enumerate(known[offset].tolist())]
            )
            if agreements[of].mean() >= CONFIRMED and known[offset].any():
                fitting.setdefault(known[offset].tobytes(), offset)
        chosen = list(fitting.values())[:_MOST_CLOCKS]
        found = _held(case, chosen, list(_try_offsets(case, feature, times, chosen)))
        if found is not None:
            yield _input_proposal(case, feature, times, *found)
            return


def _held(
    case: Case, offsets: list[ZoneOffset], agrees: list[Mask]
) -> tuple[list[ZoneOffset], Mask] | None:
    """Return the offsets that explain the rows, all of them equally well, and where they do."""
    known = case.differs | case.agrees
    held = [
        (offset, agree)
        for offset, agree in zip(offsets, agrees, strict=True)
        if agree[case.differs].mean() >= CONFIRMED
    ]
    if not held:
        return None
    most = max(int((agree & known).sum()) for _, agree in held)
    best = [(offset, agree) for offset, agree in held if (agree & known).sum() == most]
    return [offset for offset, _ in best], best[0][1]


def _input_proposal(
    case: Case, feature: str, times: Floats, offsets: list[ZoneOffset], agree: Mask
) -> Proposal:
    """Propose the first of several zones; where they do not have the same hours, say so."""
    first = offsets[0]
    hours = first.hours(times)
    undone = f"With `{feature}` moved {first.clock} and run again"
    proposal = _zone_proposal(case, first, hours, agree, undone, (feature, times + hours))
    rows = agree & case.differs
    amounts = [float(np.mean(offset.hours(times)[rows])) for offset in offsets]
    return _with_doubt(case, proposal, amounts)


def _with_doubt(case: Case, proposal: Proposal, amounts: Sequence[float]) -> Proposal:
    """Say so where clocks of other hours than the first one's explain the rows as well."""
    # An hour of the day does not tell a clock from one that is a day ahead of it.
    amounts = [a for a in amounts if abs(abs(a - amounts[0]) - 24) > _MOST_UNSURE]
    low, high = min(amounts), max(amounts)
    if high - low < _MOST_UNSURE:
        return proposal
    if low * high < 0:
        apart = f"is read on another clock than {case.names[1]}"
    else:
        low, high = sorted((abs(low), abs(high)))
        direction = "ahead of" if amounts[0] < 0 else "behind"
        span = f"{number(round(low, 2))} to {_hours(round(high, 2))}"
        apart = f"is {span} {direction} {case.names[1]}"
    return replace(proposal, finding=f"{apart}, as in another time zone: {UNTOLD}")


def _try_offsets(
    case: Case, feature: str, times: Floats, offsets: list[ZoneOffset]
) -> Iterator[Mask]:
    """Yield, for each offset, the rows that agree when moved by it: all in one run."""
    if not offsets:
        return
    assert case.moved is not None
    size = len(times)
    repeated = np.tile(np.arange(size), len(offsets))
    moved_to = np.concatenate([times + offset.hours(times) for offset in offsets])
    moved = case.moved(feature, repeated, moved_to)
    for index in range(len(offsets)):
        part = moved[index * size : (index + 1) * size]
        yield case.near(part, case.right_numbers) | ~(
            np.isfinite(part) | np.isfinite(case.right_numbers)
        )


def _reading_proposals(case: Case) -> Iterator[Proposal]:
    """Propose zones for a feature that is an hour of the day or a day of the week."""
    values = np.r_[case.left_numbers[case.both], case.right_numbers[case.both]]
    if not len(values) or values.min() < 0:
        return
    whole = bool((values % 1 == 0).all())
    period = 7 if whole and values.max() <= 7 else 24 if values.max() < 24.5 else 0
    difference = case.left_numbers - case.right_numbers
    if not period or len(np.unique(values)) < 3 or not _is_of_clock(difference[case.both]):
        return
    sources = [*case.context.feature_times.values(), case.context.row_times]
    everywhere = case.finite & (case.differs | case.agrees)
    for of in (everywhere, case.both):  # Everywhere, or on a part.
        rows = np.flatnonzero(of)
        sample = rows[np.linspace(0, len(rows) - 1, min(len(rows), 2 * _PROBED_ROWS)).astype(int)]
        for offset in zone_offsets(case.context.zones):
            if offset.summer and of is not everywhere:
                continue  # Daylight saving time is on all rows of the summer.
            for times in sources:
                if _fits(offset, times[sample], difference[sample], period).mean() < CONFIRMED:
                    continue
                fits = _fits(offset, times, difference, period)
                if fits[rows].mean() >= CONFIRMED and (case.both & fits).any():
                    hours, undone = offset.hours(times), f"Moved {offset.clock}"
                    proposal = _zone_proposal(case, offset, hours, case.finite & fits, undone)
                    amounts = [float(np.mean(hours[case.both & fits]))]
                    if period == 7:
                        amounts += _amounts_alike(case, times, rows, int(fits[rows].sum()))
                    yield _with_doubt(case, proposal, amounts)
                    return


def _amounts_alike(case: Case, times: Floats, rows: Places, fitting: int) -> Iterator[float]:
    """Yield the hours of every clock that fits as many rows with a day of the week."""
    difference = case.left_numbers - case.right_numbers
    for offset in zone_offsets(case.context.zones):
        fits = _fits(offset, times, difference, 7)
        if fits[rows].sum() >= fitting and (case.both & fits).any():
            yield float(np.mean(offset.hours(times)[case.both & fits]))


def _fits(offset: ZoneOffset, times: Floats, difference: Floats, period: int) -> Mask:
    """Find rows whose values differ as the clocks do, modulo the day or the week.

    The day of the week changes at the midnight of either clock, whichever the times are read on.
    """
    hours = offset.hours(times)
    if period == 24:
        return _is_multiple(difference + hours, period)
    midnights = (
        np.floor((times + hours) / 24) - np.floor(times / 24),
        np.floor(times / 24) - np.floor((times - hours) / 24),
    )
    first, second = (_is_multiple(difference + days, period) for days in midnights)
    return first if first.sum() >= second.sum() else second


def _is_multiple(values: Floats, period: int) -> Mask:
    rest = values % period
    multiple: Mask = (rest < INSTANT_HOURS) | (period - rest < INSTANT_HOURS)
    return multiple


def _is_of_clock(difference: Floats) -> bool:
    """Whether differences show a clock: some wrap at midnight, or the hours change.

    If all are equal, any number may have been counted from another origin.
    """
    return len(np.unique(np.round(difference, 6))) > 1


def _zone_proposal(
    case: Case,
    offset: ZoneOffset,
    hours: Floats,
    holds: Mask,
    undone: str,
    moved: tuple[str, Floats] | None = None,
) -> Proposal:
    finding = offset.describe(hours[holds & case.differs], case.names)
    is_known = offset.zone in (*_FAMILIAR, *case.context.zones)
    return Proposal(
        cause="time zone",
        finding=finding if is_known else f"{finding}, for example",
        undone=undone,
        action=_ACTION,
        holds=holds,
        moved=moved,
    )


def _exchange_proposal(holds: Mask, moved: tuple[str, Floats] | None = None) -> Proposal:
    return Proposal(
        cause="date format",
        finding="has day and month exchanged, on dates that have both readings",
        undone="With day and month exchanged back",
        action="Send ISO 8601 dates, and parse with an explicit format: 03/04 is in March for "
        "some and in April for others.",
        holds=holds,
        parameters=0,
        moved=moved,
    )


def _try_steps(
    case: Case, feature: str, times: Floats, rows: Places, steps: list[float]
) -> Iterator[Mask]:
    """Yield, for each number of hours, the rows that agree when moved by it."""
    assert case.moved is not None
    repeated = np.tile(rows, len(steps))
    moved = case.moved(feature, repeated, times[repeated] + np.repeat(steps, len(rows)))
    for index in range(len(steps)):
        part = moved[index * len(rows) : (index + 1) * len(rows)]
        yield case.near(part, case.right_numbers[rows]) | (
            np.isnan(part) & np.isnan(case.right_numbers[rows])
        )


def _probe(case: Case) -> Places:
    """Return a few rows that differ and a few that agree, spread evenly."""
    groups = [np.flatnonzero(case.fitted), np.flatnonzero(case.agrees)]
    return np.concatenate(
        [rows[:: max(len(rows) // _PROBED_ROWS, 1)][:_PROBED_ROWS] for rows in groups]
    )


def zone_offsets(zones: Sequence[str] = ()) -> Iterator[ZoneOffset]:
    """Yield every zone's clock and daylight saving time, named and familiar zones first."""
    given = tuple(zone for zone in zones if zone != "UTC")
    first = tuple(dict.fromkeys((*given, *_FAMILIAR)))
    for zones in (first, tuple(zone for zone in _all_zones() if zone not in first)):
        for summer in (False, True):
            for zone in zones:
                if not summer or _winter(zone) != _summer(zone):
                    yield ZoneOffset(zone, 1, summer)
                    yield ZoneOffset(zone, -1, summer)


@cache
def _all_zones() -> tuple[str, ...]:
    return tuple(sorted(z for z in available_timezones() if "/" in z and not z.startswith("Etc/")))


@cache
def _year(zone: str) -> tuple[float, float]:
    """Return the smallest and the largest offset from UTC in the year 2020, in hours."""
    clock = _clock(zone)
    months = [datetime(2020, month, 15, 12, tzinfo=UTC) for month in range(1, 13)]
    offsets = [time.astimezone(clock).utcoffset() for time in months]
    hours = [offset.total_seconds() / 3600 for offset in offsets if offset is not None]
    return min(hours), max(hours)


def _winter(zone: str) -> float:
    return _year(zone)[0]


def _summer(zone: str) -> float:
    return _year(zone)[1]


def _offsets(zone: str, times: Floats) -> Floats:
    """Return the zone's offset from UTC at each time, in hours; 0 for NaN."""
    known = np.isfinite(times)
    seconds = np.where(known, np.round(times * 3600), 0).astype("datetime64[s]")
    offsets: Floats = np.where(known, _offsets_at(zone, seconds.tobytes()), 0.0)
    return offsets


@lru_cache(maxsize=2048)
def _offsets_at(zone: str, seconds: bytes) -> Floats:
    """Compute a zone's offsets from UTC, in hours, and cache them.

    The same rows are requested repeatedly for every zone: in both directions, with and without
    daylight saving time, and by several causes.
    """
    utc = pd.DatetimeIndex(np.frombuffer(seconds, dtype="datetime64[s]"))
    offsets = utc.tz_localize("UTC").tz_convert(_clock(zone)).tz_localize(None) - utc
    return offsets.total_seconds().to_numpy() / 3600


@cache
def _clock(zone: str) -> ZoneInfo:
    """Cache all zones: Python caches only a few, and reads the file of any other again."""
    return ZoneInfo(zone)


def _hours(hours: float) -> str:
    """``1 hour``, ``5.5 hours``."""
    return plural(int(hours), "hour") if float(hours).is_integer() else f"{number(hours)} hours"
