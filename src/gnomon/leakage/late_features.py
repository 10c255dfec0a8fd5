"""Check for features with a time, or known from a time, after the prediction was requested."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from gnomon.leakage.encodings import datetimes, short, timestamps
from gnomon.leakage.finding import LeakageEvidence, LeakageFinding, unknown
from gnomon.leakage.labelled_table import LabelledTable
from gnomon.leakage.measures import CONFIDENCE, share_within
from gnomon.quantities import duration

__all__ = ["CHECK", "check_late_features", "known_in_time"]

CHECK = "clock"

EXAMPLES = 3
_UNIT_SECONDS = (86_400, 3_600, 60, 1)
_MICRO = 1_000_000

Column = pd.Series


class _Late(NamedTuple):
    """Rows whose time is after their event time, and by how many seconds."""

    compared: int
    rows: npt.NDArray[np.intp]
    seconds: npt.NDArray[np.float64]


def check_late_features(table: LabelledTable) -> list[LeakageFinding]:
    """Find features later than the event time of their row.

    A feature that is a timestamp is compared itself, unless ``known_at`` gives the time when it was
    known: a due date may be in the future and be known today. If all event times are full hours (or
    days, or minutes), only times after that hour count as later.
    """
    if table.event_time is None:
        return []
    event = _read(table.column(table.event_time))
    sources = {name: name for name in _timestamps(table, event)} | dict(table.known_at)
    findings = (
        _find_late(name, _read(table.column(source)), event)
        for name, source in sources.items()
        if source != table.event_time
    )
    return [finding for finding in findings if finding]


def known_in_time(table: LabelledTable) -> set[str]:
    """Return features whose ``known_at`` is not after the event time in any row."""
    if table.event_time is None:
        return set()
    late = {name for finding in check_late_features(table) for name in finding.features}
    return set(table.known_at) - late


def _timestamps(table: LabelledTable, event: Column[Any]) -> list[str]:
    """Return features that are timestamps, or text that can be compared with the event time."""
    return [
        name
        for name in table.features
        if name not in (table.event_time, *table.known_at)
        and (column := timestamps(table.column(name))) is not None
        and (_is_timestamp(table.column(name)) or _comparable(column, event))
    ]


def _read(column: Column[Any]) -> Column[Any]:
    parsed = timestamps(column)
    return column if parsed is None else parsed


def _find_late(name: str, times: Column[Any], event: Column[Any]) -> LeakageFinding | None:
    if not _comparable(times, event):
        return _unknown(
            name,
            f"`{times.name}` is {times.dtype} and `{event.name}` is {event.dtype}",
            "make both timestamps, both with a time zone or both without",
        )
    late = _late_rows(times, event)
    if not late.compared:
        return _unknown(
            name,
            f"`{times.name}` and `{event.name}` have no row in common",
            "fill in the times, or leave the feature out",
        )
    if not len(late.rows):
        return None
    return _finding(name, times, event, late)


def _late_rows(times: Column[Any], event: Column[Any]) -> _Late:
    comparable = np.flatnonzero((times.notna() & event.notna()).to_numpy())
    times, event = times.iloc[comparable], event.iloc[comparable]
    seconds = _micros(datetimes(times) - datetimes(event)) / _MICRO
    zone = event.dt.tz
    event_micros = _micros(datetimes(event, wall=True))
    known_micros = _micros(datetimes(times.dt.tz_convert(zone) if zone else times, wall=True))
    unit = _unit(event_micros)
    after = np.flatnonzero((seconds > 0) & (known_micros // unit * unit > event_micros))
    return _Late(len(comparable), comparable[after], seconds[after])


def _finding(name: str, times: Column[Any], event: Column[Any], late: _Late) -> LeakageFinding:
    claimed = name != times.name
    hits, rows, median = len(late.rows), late.compared, float(np.median(late.seconds))
    what = (
        f"is known only after the prediction (`{times.name}`, against `{event.name}`)"
        if claimed
        else f"is later than the prediction (`{event.name}`)"
    )
    low, high = share_within(hits, rows)
    return LeakageFinding(
        check=CHECK,
        features=(name,),
        severity="leak" if claimed else "suspect",
        sentence=f"`{name}` {what} in {hits:,} of {rows:,} rows, by a median of {duration(median)}",
        evidence=LeakageEvidence(
            rows=rows,
            hits=hits,
            measure="share of rows",
            value=hits / rows,
            low=low,
            high=high,
            confidence=CONFIDENCE,
            numbers={"median seconds": median, "most seconds": float(late.seconds.max())},
            examples=tuple(_example(times, event, int(row)) for row in late.rows[:EXAMPLES]),
        ),
        action=f"leave `{name}` out, or use the value that was known at `{event.name}`"
        if claimed
        else f"leave `{name}` out if it is the time of an event; if it is a plan, such as a "
        f'due date, give the time when it was known: known_at={{"{name}": ...}}',
    )


def _unknown(name: str, why: str, action: str) -> LeakageFinding:
    sentence = f"inconclusive whether `{name}` is known in time: {why}"
    return unknown(CHECK, sentence, 0, action, (name,))


def _example(times: Column[Any], event: Column[Any], row: int) -> str:
    known_text, event_text = short(times.iloc[row]), short(event.iloc[row])
    return f"row {times.index[row]}: {times.name} {known_text}, {event.name} {event_text}"


def _comparable(times: Column[Any], event: Column[Any]) -> bool:
    zoned = {isinstance(column.dtype, pd.DatetimeTZDtype) for column in (times, event)}
    return _is_timestamp(times) and _is_timestamp(event) and len(zoned) == 1


def _is_timestamp(column: Column[Any]) -> bool:
    return pd.api.types.is_datetime64_any_dtype(column.dtype)


def _micros(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return values.astype(np.int64)


def _unit(event_micros: npt.NDArray[np.int64]) -> int:
    """Return the largest unit, in microseconds, of which all event times are multiples."""
    sizes = (seconds * _MICRO for seconds in _UNIT_SECONDS)
    return next((size for size in sizes if not (event_micros % size).any()), 1)
