"""How often the interval of an estimate holds: ``python -m benchmarks.estimates.coverage``.

A classifier answers by one feature, of which it makes twice too much. Its quality on a chunk of
rows is estimated from labelled rows, the reference, as ``gnomon quality --estimate`` does it from
the rows of the log on: drift of the inputs, calibration, sums by chunk, intervals. Then the labels
of the chunk come. Counted is how often the realised loss is in the interval, among the runs in
which the estimate is not unknown. The chunk has other entities than the reference.

Where rows of one entity err together, each entity adds a normal effect to the log-odds of its
labels, which the classifier does not know.

The second table shows why a reference of few entities is refused. Its columns are the interval that
is used, with Student's t, and a normal one with the same standard error but without its correction
for few entities.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from scipy.special import ndtri
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import gnomon
from benchmarks.race.results import machine
from gnomon.artifact import Artifact
from gnomon.estimates.answered_rows import AnsweredRows
from gnomon.estimates.chunk_estimates import ChunkEstimates
from gnomon.estimates.chunk_sums import ChunkSums
from gnomon.estimates.confidence_based import fit_confidence_based
from gnomon.estimates.fitting import FitResult, fit
from gnomon.estimates.input_drift import InputDrift
from gnomon.estimates.loss_estimator import (
    FittedEstimator,
    ReferenceRows,
    SamplingError,
    realised_losses,
)
from gnomon.estimates.quality_estimate import EstimatedChunk
from gnomon.offline.entity_slots import EntitySlots, repeats
from gnomon.offline.logged import Rows
from gnomon.offline.paired_rows import about, seconds
from gnomon.policy import Metric, Policy
from gnomon.rollout.quality.question import Question, question

METRICS: tuple[Metric, ...] = ("error", "brier", "log_loss")
TITLES = "error | Brier score | log loss"
EFFECT = 1.2
"""The standard deviation of the entities' effects, in log-odds."""

LEARNED_SLOPE, TRUE_SLOPE = 2.0, 1.0
TRAINING_ROWS = 20_000
ARRIVED = np.datetime64("2026-01-01", "ms")
CHUNK = timedelta(days=1)
PACKAGES = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One line of the first table.

    Attributes:
        reference: rows and entities of the reference.
        chunk: rows and entities of the chunk.
        effect: the standard deviation of the entities' effects; 0 where rows are independent.
    """

    reference: tuple[int, int]
    chunk: tuple[int, int]
    effect: float = EFFECT


CASES = (
    Case((1_000, 1_000), (1_000, 1_000), effect=0.0),
    Case((1_000, 1_000), (1_000, 50)),
    Case((1_000, 500), (1_000, 50)),
    Case((1_000, 50), (1_000, 50)),
    Case((1_000, 50), (1_000, 1_000)),
    Case((600, 30), (600, 30)),
    Case((3_000, 30), (3_000, 30)),
    Case((600, 6), (600, 6)),
)
FEW_ENTITIES = (6, 10, 20, 30)
FEW_ROWS = 600


@dataclass(frozen=True)
class Served:
    """The artifact that answers, and what is asked.

    Attributes:
        artifact: as it was packed.
        pipeline: what was packed.
        policy: the defaults.
        asked: what it answers.
    """

    artifact: Artifact
    pipeline: Pipeline
    policy: Policy
    asked: Question

    @classmethod
    def packed(cls) -> Served:
        """Train it where the feature counts twice as much as later, and pack it."""
        random = np.random.default_rng(0)
        x = random.uniform(-2, 2, TRAINING_ROWS)
        frame = pd.DataFrame({"x": x})
        target = _labels(LEARNED_SLOPE * x, random)
        pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, target)
        customers = pd.DataFrame({"customer": [f"t{number}" for number in range(TRAINING_ROWS)]})
        artifact = gnomon.pack(
            "customers", pipeline, frame, target, carry=customers, entity_key="customer"
        )
        policy = Policy()
        asked = question(artifact.contract, artifact.contract, policy)
        return cls(artifact, pipeline, policy, asked)

    def answered(
        self, name: str, size: tuple[int, int], effect: float, random: np.random.Generator
    ) -> AnsweredRows:
        """Return rows with their labels, as they are read from the log.

        Args:
            name: the beginning of the names of requests and entities.
            size: rows and entities, which come in turn.
            effect: the standard deviation of the entities' effects.
            random: draws features, effects and labels.
        """
        rows, entities = size
        x, owners = random.uniform(-2, 2, rows), np.arange(rows) % entities
        effects = random.normal(0, effect, entities)[owners]
        labels = _labels(TRUE_SLOPE * x + effects, random)
        customers = [f"{name}-{owner}" for owner in owners]
        inputs = pa.table({"x": x, "customer": customers})
        table = Rows(_envelope(name, rows), inputs, self._answers(x))
        facts = about(table, self.artifact.contract, inputs.select([]))
        return AnsweredRows(facts, inputs, table.outputs, pa.array(labels))

    def _answers(self, x: Floats) -> pa.Table:
        frame = pd.DataFrame({"x": x})
        probabilities = self.pipeline.predict_proba(frame)
        answers = {"prediction": self.pipeline.classes_[probabilities.argmax(axis=1)]}
        for place, label in enumerate(self.pipeline.classes_):
            answers[f"probability_{label}"] = probabilities[:, place]
        return pa.table(answers)


def _labels(log_odds: Floats, random: np.random.Generator) -> list[str]:
    yes = random.random(len(log_odds)) < 1 / (1 + np.exp(-log_odds))
    labels: list[str] = np.where(yes, "yes", "no").tolist()
    return labels


def _envelope(name: str, rows: int) -> pa.Table:
    """Return the envelope of so many requests of one row, a thousand a second."""
    arrived = pa.array(ARRIVED + np.arange(rows)).cast(pa.timestamp("us", tz="UTC"))
    return pa.table(
        {
            "request_id": [f"{name}-{row:06d}" for row in range(rows)],
            "row": np.zeros(rows, np.int64),
            "outcome": ["answered"] * rows,
            "client_id": pa.nulls(rows, pa.string()),
            "arrived": arrived,
        }
    )


@dataclass
class Coverage:
    """How often intervals held.

    Attributes:
        runs: of which the estimate was known.
        unknown: of which it was not.
        inside: runs whose realised loss was inside, by metric.
    """

    runs: int = 0
    unknown: int = 0
    inside: Counter[str] = field(default_factory=Counter)

    def add(self, inside: Iterable[str]) -> None:
        """Count a run, of which the losses of these metrics are inside."""
        self.runs += 1
        self.inside.update(inside)

    def shares(self) -> list[str]:
        """Return the share of each metric in words."""
        if not self.runs:
            return ["unknown"] * len(METRICS)
        return [f"{self.inside[metric] / self.runs:.1%}" for metric in METRICS]


def main() -> None:
    """Simulate, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=300, help="of each line")
    parser.add_argument("--lines", type=int, help="only so many, the first of the first table")
    options = parser.parse_args()
    runs = options.runs
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ |= {"BENTOML_HOME": folder, "BENTOML_DO_NOT_TRACK": "True"}
        served = Served.packed()
        _print_cases(served, CASES[: options.lines], runs)
        if options.lines is None:
            _print_few(served, runs)
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    print(f"\n{runs} runs of each line; {machine()}; {packages}")


def _print_cases(served: Served, cases: Sequence[Case], runs: int) -> None:
    print(f"| reference | chunk | unknown | {TITLES} |\n|---|---|--:|--:|--:|--:|")
    for case in cases:
        found = covered(served, case, runs)
        reference = _size(*case.reference) + ("" if case.effect else ", independent")
        cells = (reference, _size(*case.chunk), f"{found.unknown / runs:.1%}", *found.shares())
        print(f"| {' | '.join(cells)} |", flush=True)


def _print_few(served: Served, runs: int) -> None:
    print(f"\n| entities in each | interval | {TITLES} |\n|--:|---|--:|--:|--:|")
    for entities in FEW_ENTITIES:
        for name, found in covered_by_few(served, entities, runs).items():
            print(f"| {entities} | {name} | {' | '.join(found.shares())} |", flush=True)


def _size(rows: int, entities: int) -> str:
    return f"{rows:,} rows of {entities:,} entities"


def covered(served: Served, case: Case, runs: int) -> Coverage:
    """Return how often the realised loss of a chunk was in its interval."""
    random = np.random.default_rng([*case.reference, *case.chunk])
    found = Coverage()
    for run in range(runs):
        reference = served.answered(f"r{run}", case.reference, case.effect, random)
        chunk = served.answered(f"c{run}", case.chunk, case.effect, random)
        estimate = _estimated(served, reference, chunk)
        if estimate is None or estimate.state == "unknown":
            found.unknown += 1
            continue
        found.add(
            metric.metric
            for metric in estimate.metrics
            if metric.interval and metric.realised is not None
            if metric.interval[0] <= metric.realised <= metric.interval[1]
        )
    return found


def _estimated(
    served: Served, reference: AnsweredRows, chunk: AnsweredRows
) -> EstimatedChunk | None:
    """Estimate a chunk as `gnomon.estimates.estimation` does; None if the reference is refused."""
    contract, asked, policy = served.artifact.contract, served.asked, served.policy
    drift = InputDrift(served.artifact, policy.drift)
    result: FitResult = fit([reference], contract, asked, METRICS, drift)
    if result.fitted is None:
        return None
    sums, estimator = ChunkSums(METRICS, CHUNK), result.fitted.estimator
    answers = asked.answers(contract, chunk.columns())
    sums.add(
        seconds(chunk.facts.column("time")),
        estimator.losses(chunk.inputs, answers),
        realised_losses(METRICS, asked, answers, asked.truth(chunk.labels)),
        estimator.beyond(answers),
        EntitySlots.of(chunk.facts.column("unit")),
    )
    drift.add(chunk.facts, chunk.inputs)
    [estimate] = ChunkEstimates(asked, METRICS, result.fitted, sums, drift, policy).chunks()
    return estimate


def covered_by_few(served: Served, entities: int, runs: int) -> dict[str, Coverage]:
    """Return how often either interval held, with so few entities in the reference and the chunk.

    The estimator is fitted without the check that refuses such a reference.
    """
    random = np.random.default_rng([FEW_ROWS, entities])
    found = {"normal": Coverage(), "Student's t": Coverage()}
    confidence, size = served.policy.gates.confidence, (FEW_ROWS, entities)
    for run in range(runs):
        reference = served.answered(f"r{run}", size, EFFECT, random)
        chunk = served.answered(f"c{run}", size, EFFECT, random)
        fitted = fit_confidence_based(served.asked, METRICS, _reference(served, reference))
        off = _off(served, fitted, chunk)
        slots = EntitySlots.of(chunk.facts.column("unit"))
        of_each = repeats(slots.sums(np.zeros(FEW_ROWS, np.int64), 1)[0], FEW_ROWS)
        margins = {
            metric: (_normal(error, confidence), error.within(FEW_ROWS, confidence, of_each))
            for metric, error in fitted.errors.items()
        }
        for place, coverage in enumerate(found.values()):
            coverage.add(metric for metric in METRICS if off[metric] <= margins[metric][place])
    return found


def _reference(served: Served, rows: AnsweredRows) -> ReferenceRows:
    answers = served.asked.answers(served.artifact.contract, rows.columns())
    return ReferenceRows(rows.inputs, answers, served.asked.truth(rows.labels), rows.units)


def _off(served: Served, fitted: FittedEstimator, chunk: AnsweredRows) -> dict[Metric, float]:
    """Return how far the realised loss of a chunk is from its estimate."""
    rows = _reference(served, chunk)
    estimated = fitted.estimator.losses(rows.inputs, rows.answers)
    realised = realised_losses(METRICS, served.asked, rows.answers, rows.truth)
    return {
        metric: abs(float((realised[metric] - estimated[metric]).mean()) - error.bias)
        for metric, error in fitted.errors.items()
    }


def _normal(error: SamplingError, confidence: float) -> float:
    """Return the half width of a normal interval, whose standard error is not corrected."""
    spread = error.spread * math.sqrt((error.units - 1) / error.units)
    deviation = spread * math.sqrt(1 / FEW_ROWS + 1 / error.reference)
    return float(ndtri((1 + confidence) / 2)) * deviation


if __name__ == "__main__":
    main()
