"""The gate of drift: whether what a shadow was sent is still like what it was trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gnomon.artifact import Artifact, inspect
from gnomon.drift.column_reader import ColumnReader
from gnomon.drift.drift_report import Effect
from gnomon.drift.measure import Measurement
from gnomon.drift.metrics import BinnedSides
from gnomon.drift.verdicts import column_verdict, worst
from gnomon.errors import ArtifactError, UnknownArtifact
from gnomon.log import InferenceLog
from gnomon.name_lists import listed
from gnomon.offline.logged import Range
from gnomon.policy import Policy
from gnomon.quantities import plural
from gnomon.rollout.evidence.outlook import (
    MissingEvidence,
    Traffic,
    action,
    live_traffic,
    more_rows,
)
from gnomon.rollout.gate import Gate, Verdict
from gnomon.rollout.history import RolloutState

__all__ = ["NAME", "DriftedColumn", "ServedDrift", "drift_gate", "evaluate_drift", "served_drift"]

NAME = "drift"

_NAMED = 5


class DriftedColumn(NamedTuple):
    """A column that has drifted, with the metric that exceeds its limit the most."""

    name: str
    metric: str
    effect: Effect

    def __str__(self) -> str:
        return f"{self.name} ({self.metric} {self.effect.value:.2g}, limit {self.effect.limit:g})"


@dataclass(frozen=True, slots=True)
class ServedDrift:
    """How the inputs and outputs of a shadow compare with its training.

    Attributes:
        rows: the rows that it scored.
        judged: columns that are judged.
        drifted: of those, the ones that have drifted, the worst first.
        undecided: those that too few rows decide, and as how many independent rows these count if
            entities repeat.
        needs: how many rows in all would decide these, about; infinite if none would.
        repeated: whether entities repeat, so that only rows of others decide these.
    """

    rows: int
    judged: int
    drifted: tuple[DriftedColumn, ...] = ()
    undecided: tuple[str, ...] = ()
    needs: float = 0.0
    repeated: bool = False


def evaluate_drift(
    log: InferenceLog, state: RolloutState, artifact: str, policy: Policy
) -> tuple[Gate, ...]:
    """Evaluate the gate of a running shadow, if the policy sets its limit.

    The inputs and the outputs of all rows of this run are counted, as `gnomon drift` does it; the
    columns of steps are not, because they are not logged. It is unknown, with the reason, if the
    artifact is gone.

    Raises:
        LogError: there is no log, or it cannot be read.
    """
    limit, shadow = policy.gates.max_drifted_columns, state.shadows.get(artifact)
    if limit is None or shadow is None:
        return ()
    try:
        candidate = inspect(artifact)
    except (ArtifactError, UnknownArtifact) as error:
        return (_unknown(limit, str(error), "no number of rows decides it before that is mended"),)
    if candidate.digest != shadow.digest:
        says = "another artifact has been packed under this tag since the shadow was started"
        return (_unknown(limit, says, "stop the shadow and start it again"),)
    found = served_drift(log, candidate, shadow.at, policy)
    return (drift_gate(limit, policy.gates.min_rows, found, live_traffic(log)),)


def served_drift(
    log: InferenceLog, artifact: Artifact, start: datetime, policy: Policy
) -> ServedDrift:
    """Compare the rows that an artifact scored as a shadow since a time with its training.

    The log is read once; memory does not grow with it.
    """
    measurement = Measurement(artifact)
    with log.snapshot() as snapshot:
        for part in Range(snapshot, artifact, "shadow", start).chunks():
            measurement.add(part)
    reader = ColumnReader(policy.drift, artifact.contract, 1, segments=False)
    judged = [c for c in measurement.counts if reader.not_judged(c.bins.kind, c.bins.name) is None]
    drifted, undecided, needs, repeated = [], [], 0.0, False
    for column in judged:
        sides = BinnedSides.from_training(column.bins, column.total())
        verdict, by_metric = column_verdict(sides, policy.drift) or (None, {})
        if verdict == "drifted":
            metric = worst(by_metric)
            drifted.append(DriftedColumn(column.bins.name, metric, by_metric[metric]))
        elif verdict == "unknown":
            counts_as = f" ({sides.counts_as})" if sides.counts_as else ""
            undecided.append(column.bins.name + counts_as)
            needs = max(needs, _needs(sides, by_metric.get("psi")))
            repeated = repeated or bool(counts_as)
    drifted.sort(key=lambda column: -column.effect.value / column.effect.limit)
    rows = measurement.counts.rows
    return ServedDrift(rows, len(judged), tuple(drifted), tuple(undecided), needs, repeated)


def drift_gate(limit: int, min_rows: int, found: ServedDrift, traffic: Traffic | None) -> Gate:
    """Judge how many columns have drifted.

    It is not decided on fewer rows than the policy's ``min_rows``: drift is judged by the size of
    effects, which chance alone makes large on few rows, and more often the more often one looks.

    Args:
        limit: so many columns may have drifted.
        min_rows: of the policy.
        found: what was measured.
        traffic: the rate of rows; None where it is not known.
    """
    drifted, undecided = len(found.drifted), len(found.undecided)
    enough = found.rows >= max(min_rows, 1)
    verdict: Verdict = "unknown" if found.rows else "no_data"
    if found.judged and enough and (drifted > limit or drifted + undecided <= limit):
        verdict = "fail" if drifted > limit else "pass"
    is_open = verdict in ("unknown", "no_data")
    return Gate(
        name=NAME,
        verdict=verdict,
        says="; ".join(_sentence(limit, found)),
        limit=limit,
        value=drifted if found.rows else None,
        count=drifted,
        rows=found.rows,
        awaits=_awaits(max(min_rows, 1), found, traffic) if is_open else None,
    )


def _sentence(limit: int, found: ServedDrift) -> Iterator[str]:
    if not found.rows:
        yield "no row was scored"
    else:
        of = f"{len(found.drifted)} of {plural(found.judged, 'column')}"
        yield f"{of} drifted from training over {plural(found.rows, 'row')}" + _named(found.drifted)
    if found.rows and found.undecided:
        rows = "too few rows of different entities" if found.repeated else "too few rows"
        yield f"{rows} to tell of {plural(len(found.undecided), 'other')}" + _named(found.undecided)
    yield f"limit {limit}"


def _named(columns: tuple[object, ...]) -> str:
    return f": {listed([*map(str, columns)], _NAMED)}" if columns else ""


def _awaits(min_rows: int, found: ServedDrift, traffic: Traffic | None) -> MissingEvidence:
    """Return what decides a gate that is open."""
    if not found.judged:
        return action("no column is judged: [drift] ignore of the policy leaves none")
    if found.rows < min_rows:
        return more_rows(min_rows - found.rows, "rows scored", traffic)
    if math.isinf(found.needs):
        return action(
            "training had too few rows to tell: raise the limits of [drift], or ignore the columns"
        )
    rows = max(math.ceil(found.needs) - found.rows, 1)
    if found.repeated:  # The rate of all rows says nothing of when other entities come.
        return more_rows(rows, "rows scored, of other entities", None, about=True)
    return more_rows(rows, "rows scored", traffic, about=True)


def _needs(sides: BinnedSides, psi: Effect | None) -> float:
    """Return how many rows would decide a column that is not decided.

    The floor of PSI falls with ``1/n + 1/m`` of independent rows and training rows; where it is not
    the reason, twice the rows are a guess. Further entities are taken to repeat as those there.
    """
    if psi is None or psi.floor <= psi.limit:
        return 2.0 * sides.all_rows[1]
    training, now = (1 / rows for rows in sides.independent_rows)
    largest = psi.limit / psi.floor * (now + training)
    return sides.design_effects[1] / (largest - training) if largest > training else math.inf


def _unknown(limit: int, says: str, needed: str) -> Gate:
    return Gate(name=NAME, verdict="unknown", says=says, limit=limit, awaits=action(needed))
