"""How many answers have labels, and what became of every label that was received."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract.contract import Contract
from gnomon.labels.label_counts import LabelledAge, LabelStatus, UncountedLabel
from gnomon.labels.label_schema import instant
from gnomon.labels.last_request import micros
from gnomon.labels.matching import Matches, match
from gnomon.labels.resolution import FATES, Fate, fates
from gnomon.log import InferenceLog, Snapshot
from gnomon.policy import LabelRules

__all__ = ["EXAMPLES", "label_status"]

_AGES = (1, 7, 30, 90)
"""The ends of the ranges of age, in days."""
_DAY = 86_400e6
"""In microseconds."""
EXAMPLES = 5
"""How many contradictions, and how many unmatched labels, are shown unless more are asked for."""


def label_status(
    log: InferenceLog,
    records: pa.Table,
    contract: Contract,
    model: str,
    rules: LabelRules,
    now: datetime | None = None,
    *,
    examples: int | None = EXAMPLES,
) -> LabelStatus:
    """Match all labels with the log, and count them.

    Args:
        log: the model's log.
        records: stored labels.
        contract: has the entity key and the event time.
        model: the model's name.
        rules: which row a label is about, and when it is late.
        now: the time from which ages are counted.
        examples: of how many contradictions, and how many unmatched labels, to show; None for all.
    """
    now = now or datetime.now(UTC)
    with log.snapshot() as snapshot:
        found = match(records, snapshot, contract, within=rules.match_within)
        answered = _count_ages(snapshot, now)
    fate = fates(records, found)
    counted = np.flatnonzero(fate == "counted")
    labelled = np.unique(found.places[counted])
    delays = _delays(records, found, counted)
    ages = np.searchsorted(_ends(now), micros(found.rows.column("arrived"))[labelled])
    return LabelStatus(
        model=model,
        received=records.num_rows,
        fates={name: int((fate == name).sum()) for name in FATES},
        unmatched=dict(Counter(found.reasons[fate == "unmatched"].tolist())),
        late=int((delays > rules.late_after / timedelta(microseconds=1)).sum()),
        early=int((delays < 0).sum()),
        known_after_days=_quantiles(delays),
        ages=tuple(
            LabelledAge(words, int(rows), int((ages == place).sum()))
            for place, words, rows in reversed(
                list(zip(range(len(answered)), _words(), answered, strict=True))
            )
        ),
        examples=tuple(_examples(records, found, fate, examples)),
    )


def _count_ages(snapshot: Snapshot, now: datetime) -> npt.NDArray[np.int64]:
    """Count the answered rows of each range of age, oldest first."""
    ends = _ends(now)
    counts = np.zeros(len(ends) + 1, np.int64)
    for batch in snapshot.scan(columns=["arrived"], role="live", outcome="answered"):
        places = np.searchsorted(ends, micros(batch.column("arrived")))
        counts += np.bincount(places, minlength=len(counts))
    return counts


def _ends(now: datetime) -> npt.NDArray[np.int64]:
    """Return the ends of the ranges of age as times of arrival, oldest first."""
    times = [now - timedelta(days=days) for days in reversed(_AGES)]
    return micros(pa.array(times, instant))


def _words() -> list[str]:
    """Return the ranges of age in words, oldest first."""
    ranges = [f"{a} to {b}" for a, b in pairwise(_AGES)]
    return [f"over {_AGES[-1]}", *reversed(ranges), f"under {_AGES[0]}"]


def _delays(
    records: pa.Table, found: Matches, counted: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return how long after its request each counted label was known, in microseconds."""
    known = pc.coalesce(records.column("known_at"), records.column("received_at"))
    arrived = micros(found.rows.column("arrived"))
    return micros(known)[counted] - arrived[found.places[counted]]


def _quantiles(delays: npt.NDArray[np.int64]) -> tuple[float, float] | None:
    """Return the median and the 90th percentile in days; None without a label."""
    if not len(delays):
        return None
    median, late = (float(value) / _DAY for value in np.quantile(delays, [0.5, 0.9]))
    return median, late


def _examples(
    records: pa.Table, found: Matches, fate: npt.NDArray[np.object_], most: int | None
) -> Iterator[UncountedLabel]:
    """Yield the newest contradictions, each with all that contradict, then unmatched labels."""
    for places in _contradictions(records, found, fate)[:most]:
        sides = records.take(pa.array(places)).to_pylist()
        names = {_named(side) for side in sides}
        row = found.rows.select(["request_id", "row"]).slice(int(found.places[places[0]]), 1)
        about = names.pop() if len(names) == 1 else _named(row.to_pylist()[0])
        for side in sides:
            yield _uncounted(side, about, "contradictory", None)
    unmatched = np.flatnonzero(fate == "unmatched")[::-1][:most]
    for place, label in zip(unmatched, records.take(pa.array(unmatched)).to_pylist(), strict=True):
        yield _uncounted(label, _named(label), "unmatched", found.reasons[place])


def _contradictions(
    records: pa.Table, found: Matches, fate: npt.NDArray[np.object_]
) -> list[list[int]]:
    """Return the places of the labels of each row and target that contradict, newest first."""
    groups: dict[tuple[int, str | None], list[int]] = {}
    for place in np.flatnonzero(fate == "contradictory")[::-1].tolist():
        about = int(found.places[place]), records.column("target")[place].as_py()
        groups.setdefault(about, []).append(place)
    return list(groups.values())


def _named(label: Mapping[str, Any]) -> str:
    """Return what a label names, in words."""
    if label["request_id"] is None:
        return f"{label['entity']} at {label['event_time'].isoformat()}"
    return f"{label['request_id']} row {label['row']}"


def _uncounted(
    label: Mapping[str, Any], about: str, fate: Fate, reason: str | None
) -> UncountedLabel:
    return UncountedLabel(
        about, fate, reason, label["target"], label["value"], label["source"], label["received_at"]
    )
