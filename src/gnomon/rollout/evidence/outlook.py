"""Estimate what will decide a gate that is unknown, and about when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import pyarrow.compute as pc

from gnomon.compare.units import counted_units
from gnomon.errors import LogError
from gnomon.log import InferenceLog
from gnomon.quantities import plural, rough_duration
from gnomon.rollout.evidence.new_entities import NewEntities

__all__ = [
    "AT_THE_LIMIT",
    "IF_IT_STAYS",
    "LONGEST_SECONDS",
    "WINDOW",
    "MissingEvidence",
    "Traffic",
    "about_when",
    "action",
    "live_traffic",
    "more_entities",
    "more_rows",
    "when_entities_come",
]

WINDOW: Final = timedelta(minutes=10)
"""The time over which the rate of requests is measured: long enough to measure a few requests an
hour, and short enough to follow changes during the day."""

LONGEST_SECONDS: Final = 366 * 86_400.0

IF_IT_STAYS: Final = " if the share stays"
AT_THE_LIMIT: Final = (
    "no number of rows may decide it, because the share is at the limit: change the limit in the "
    "policy, or the artifact"
)


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """The requests of the last minutes, from the log.

    Attributes:
        seconds: the length of that time, at most back to the start of the shadow.
        answered: rows that live answered in that time.
        scored: of the rows that arrived in that time, those that the shadow has scored.
        new: the entities that were new in that time; None where they are not counted.
    """

    seconds: float
    answered: int
    scored: int
    new: NewEntities | None = None

    @property
    def rate(self) -> float:
        """Rows per second that count for the gates."""
        return self.scored / self.seconds if self.seconds > 0 else 0.0


class MissingEvidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The evidence that an unknown gate still needs.

    Attributes:
        says: what is still needed, and when that is expected, in one sentence.
        rows: rows still needed, if rows decide it.
        seconds: the time until they arrive, at the rate of the last minutes; None if none arrive.
    """

    says: str
    rows: int | None = None
    seconds: float | None = None


def action(says: str) -> MissingEvidence:
    """Return that an action decides the gate, and not a number of rows."""
    return MissingEvidence(says=says)


def more_rows(
    rows: int, of: str, traffic: Traffic | None, *, about: bool = False, given: str = ""
) -> MissingEvidence:
    """Return that a number of further rows decides the gate.

    Args:
        rows: how many rows.
        of: the kind of rows, such as ``rows scored``.
        traffic: the rate at which they arrive; None where that is not known.
        about: whether the number is an estimate.
        given: the condition of the estimate.
    """
    needs = f"needs {'about ' if about else ''}{_more(rows, of)}{given}"
    if traffic is None:
        return MissingEvidence(says=needs, rows=rows)
    if not traffic.rate:
        return MissingEvidence(says=f"{needs}; {_none_come(traffic)}", rows=rows)
    seconds = rows / traffic.rate
    return MissingEvidence(
        says=f"{needs}, {about_when(seconds)} at the current {_rate_in_words(traffic.rate)}",
        rows=rows,
        seconds=seconds if seconds < LONGEST_SECONDS else None,
    )


def more_entities(
    rows: int, entities: int, of: str, traffic: Traffic | None, given: str = ""
) -> MissingEvidence:
    """Return that an estimated number of further rows of other entities decides the gate.

    Args:
        rows: how many rows.
        entities: how many entities they are of.
        of: the kind of rows.
        traffic: the rate at which rows, and new entities, arrive.
        given: the condition of the estimate.
    """
    if traffic is None or traffic.new is None or not traffic.rate:
        return more_rows(rows, of, traffic, about=True, given=given)
    expected, seconds = when_entities_come(traffic.new, entities)
    of_how_many = f": about {counted_units(entities, 'entity')}" if entities != rows else ""
    says = f"needs about {_more(rows, of)}{given}{of_how_many}{expected}"
    return MissingEvidence(says=says, rows=rows, seconds=seconds)


def _more(rows: int, of: str) -> str:
    """Write how many more rows; of one only the first noun is singular, as in ``1 more row``."""
    kinds = ("rows", "such rows")
    if rows == 1 and of.startswith(kinds):
        of = of.replace("rows", "row", 1)
    return f"{rows:,} more {of}"


def when_entities_come(
    new: NewEntities, entities: int, *, labelled: bool = False
) -> tuple[str, float | None]:
    """Say when so many new entities are expected, to follow what is needed.

    Args:
        new: those of a window.
        entities: how many are needed.
        labelled: whether only rows with a label count, whose labels may come later.

    Returns:
        The words, and the seconds; None where no time can be told.
    """
    seconds, span = new.seconds_until(entities), rough_duration(new.seconds)
    found, later = round(sum(new.new)), round(new.new[1])
    if not found:
        rows = plural(round(sum(new.rows)), "row")
        return f"; none of the {rows} of the last {span} is of a new one", None
    if new.has_stopped:
        half = f"the second half of the last {span}"
        if labelled:
            return f"; no row of {half} has a label yet", None
        return f"; no row came in {half}, so none are expected", None
    about = "about " if new.is_estimate else ""
    fewer = f"({about}{found:,} in the last {span}, {about}{later:,} of them in its second half)"
    if seconds is None:
        return (
            f"; so many may never come, because fewer and fewer rows are of new ones {fewer}"
        ), None
    words = f", {about_when(seconds)} "
    if new.falls:
        words += f"if ever fewer rows are of new ones, as now {fewer}"
    else:
        words += f"at the {about}{counted_units(found, 'entity')} that were new in the last {span}"
    return words, seconds if seconds < LONGEST_SECONDS else None


def live_traffic(log: InferenceLog, now: datetime | None = None) -> Traffic | None:
    """Count the rows that were answered recently, as if a shadow had scored all of them.

    By whatever artifact was live then: a promotion does not change the rate of requests. None
    without a log.
    """
    start = (now or datetime.now(UTC)) - WINDOW
    try:
        answered = sum(
            pc.sum(pc.equal(batch.column("outcome"), "answered")).as_py() or 0
            for batch in log.scan(columns=["outcome"], role="live", start=start)
        )
    except LogError:
        return None
    return Traffic(seconds=WINDOW.total_seconds(), answered=answered, scored=answered)


def about_when(seconds: float) -> str:
    """Write about how long it takes, in a readable unit.

    >>> about_when(3), about_when(3 * 3600), about_when(1e9)
    ('in about 3 s', 'in about 3 h', 'in over a year')
    """
    if seconds >= LONGEST_SECONDS:
        return "in over a year"
    return f"in about {rough_duration(max(seconds, 1))}"


def _none_come(traffic: Traffic) -> str:
    minutes = f"{traffic.seconds / 60:.0f} min" if traffic.seconds >= 90 else "minute"
    if traffic.answered:
        return (
            f"live answered {plural(traffic.answered, 'row')} in the last {minutes}, and the "
            "shadow has scored none of them"
        )
    return f"no request came in the last {minutes}, so none are expected"


def _rate_in_words(rate: float) -> str:
    for unit, seconds in (("a second", 1), ("a minute", 60), ("an hour", 3_600)):
        if rate * seconds >= 1:
            rows = rate * seconds
            return f"{rows:,.0f} {unit}" if rows >= 100 else f"{rows:.3g} {unit}"
    return f"{rate * 86_400:,.2g} a day"
