"""Drift where entities repeat: ``python -m benchmarks.drift.entities --runs 200``.

An artifact is packed with 50,000 training rows, one of each customer. Then customers repeat. Their
rows are counted and judged as the gate of drift does it, by the default limits. Each column has
a standard normal distribution in training and in the samples. They differ in how much of the
variance is between customers:

constant
    all of it: the rows of one customer have one value, such as an age.
half
    half of it.
free
    nothing of it: the rows of one customer differ as those of different customers do.

The first table has samples without drift; beside the verdicts on the constant column is how often
it would be called drifted if each row counted as an independent one. The second table has samples
in which the mean has shifted. Samples of 100,000 rows are a fifth as many.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import gnomon
from benchmarks.race.results import machine
from gnomon.artifact import Artifact
from gnomon.drift.drift_counts import ColumnCounts
from gnomon.drift.measure import Measurement
from gnomon.drift.metrics import BinnedSides
from gnomon.drift.verdicts import column_verdict
from gnomon.offline.logged import Rows
from gnomon.policy import DriftLimits

TRAINING_ROWS = 50_000
BETWEEN = {"constant": 1.0, "half": 0.5, "free": 0.0}
"""The share of each column's variance that is between customers."""

MOST_ROWS = 20_000
"""Of larger samples there are fewer, in proportion: they take long."""

VERDICTS = ("ok", "unknown", "drifted")
ARRIVED = np.datetime64("2026-01-01", "ms")
PACKAGES = ("numpy", "pandas", "pyarrow", "scikit-learn")

Customers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Traffic:
    """Customers who repeat.

    Attributes:
        name: for the table.
        rows: how many they send.
        customers: how many there are.
        exponent: of Zipf's law for how often each comes; None where all come equally often.
        shift: of the mean of each column, in standard deviations.
    """

    name: str
    rows: int
    customers: int
    exponent: float | None = None
    shift: float = 0.0

    def drawn(self, random: np.random.Generator) -> Customers:
        """Return the customer of each row."""
        if self.exponent is None:
            return np.arange(self.rows) % self.customers
        weights = np.arange(1, self.customers + 1) ** -self.exponent
        return random.choice(self.customers, self.rows, p=weights / weights.sum())


STREAMS = (
    Traffic("100 with 10 rows each", 1_000, 100),
    Traffic("12 with 100 each", 1_200, 12),
    Traffic("50 with 20 each", 1_000, 50),
    Traffic("200 with 20 each", 4_000, 200),
    Traffic("1,000 with 20 each", 20_000, 1_000),
    Traffic("2,000, by Zipf's law (1.1)", 10_000, 2_000, 1.1),
    Traffic("5,000, by Zipf's law (1.1)", 100_000, 5_000, 1.1),
)
SHIFTED = (
    Traffic("50 with 20 each", 1_000, 50, shift=1.0),
    Traffic("200 with 20 each", 4_000, 200, shift=1.0),
    Traffic("200 with 20 each", 4_000, 200, shift=0.6),
)


class Judged(NamedTuple):
    """A column of one sample.

    Attributes:
        counts_as: how many independent rows its rows are worth.
        verdict: one of :data:`VERDICTS`.
        as_independent: the verdict if each row were independent.
    """

    counts_as: float
    verdict: str
    as_independent: str


Samples = dict[str, list[Judged]]
Judge = Callable[[Traffic], Samples]


def main() -> None:
    """Simulate, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200, help="samples of each line")
    parser.add_argument("--lines", type=int, help="only so many, the first of the first table")
    options = parser.parse_args()
    runs = options.runs
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ |= {"BENTOML_HOME": folder, "BENTOML_DO_NOT_TRACK": "True"}
        artifact, pipeline = packed()

        def judged(traffic: Traffic) -> Samples:
            return simulated(artifact, pipeline, traffic, runs)

        _print_without_drift(judged, STREAMS[: options.lines])
        if options.lines is None:
            _print_shifted(judged)
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    print(f"\n{runs} samples of each line; {machine()}; {packages}")


def packed() -> tuple[Artifact, Pipeline]:
    """Pack a model of the three columns, whose entity key is the customer."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({name: random.normal(size=TRAINING_ROWS) for name in BETWEEN})
    target = frame.sum(axis=1) + random.normal(size=TRAINING_ROWS)
    pipeline = make_pipeline(StandardScaler(), LinearRegression()).fit(frame, target)
    customers = pd.DataFrame({"customer": [f"t{number}" for number in range(TRAINING_ROWS)]})
    return gnomon.pack(
        "customers", pipeline, frame, target, carry=customers, entity_key="customer"
    ), pipeline


def simulated(artifact: Artifact, pipeline: Pipeline, traffic: Traffic, runs: int) -> Samples:
    """Judge the columns of so many samples, or of fewer if they are large."""
    random = np.random.default_rng([traffic.rows, traffic.customers, int(10 * traffic.shift)])
    found: Samples = {name: [] for name in BETWEEN}
    for run in range(max(1, runs * MOST_ROWS // max(traffic.rows, MOST_ROWS))):
        measurement = Measurement(artifact)
        measurement.add(_rows(artifact, pipeline, traffic, random, run))
        for column in measurement.counts:
            if column.bins.name in found:
                found[column.bins.name].append(_judged(column))
    return found


def _rows(
    artifact: Artifact,
    pipeline: Pipeline,
    traffic: Traffic,
    random: np.random.Generator,
    run: int,
) -> Rows:
    """Return one sample as rows of the log: requests of one row, a thousand a second."""
    owners = traffic.drawn(random)
    frame = pd.DataFrame(
        {
            name: _values(between, owners, traffic, random) + traffic.shift
            for name, between in BETWEEN.items()
        }
    )
    answers = pipeline.predict(frame)
    frame["customer"] = [f"{run}-{owner}" for owner in owners]  # Each run has its own collisions.
    schema = artifact.contract.input_schema
    arrived = ARRIVED + np.arange(traffic.rows)
    envelope = pa.table(
        {
            "request_id": [f"{run}-{row:06d}" for row in range(traffic.rows)],
            "row": np.zeros(traffic.rows, np.int64),
            "outcome": ["answered"] * traffic.rows,
            "client_id": pa.nulls(traffic.rows, pa.string()),
            "arrived": pa.array(arrived).cast(pa.timestamp("us", tz="UTC")),
        }
    )
    inputs = pa.Table.from_pandas(frame[schema.names], schema, preserve_index=False)
    return Rows(envelope, inputs, pa.table({"prediction": answers}))


def _values(
    between: float, owners: Customers, traffic: Traffic, random: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Return standard normal values, of whose variance a share is between customers."""
    of_customers = random.normal(size=traffic.customers)[owners]
    of_rows = random.normal(size=traffic.rows)
    return np.sqrt(between) * of_customers + np.sqrt(1 - between) * of_rows


def _judged(column: ColumnCounts) -> Judged:
    """Judge a column as the gate of drift does, and as if its rows were independent."""
    sides = BinnedSides.from_training(column.bins, column.total())
    independent = replace(sides, design_effects=(1.0, 1.0))
    return Judged(sides.independent_rows[1], _verdict(sides), _verdict(independent))


def _verdict(sides: BinnedSides) -> str:
    judged = column_verdict(sides, DriftLimits())
    assert judged is not None
    return judged[0]


def _print_without_drift(judged: Judge, streams: Sequence[Traffic]) -> None:
    print(
        "| rows | entities | constant in each entity: counts as | ok, unknown, drifted "
        "| drifted, if each row counted | half of the variance within: counts as "
        "| ok, unknown, drifted |\n|--:|---|--:|---|--:|--:|---|"
    )
    for traffic in streams:
        found = judged(traffic)
        constant, half = found["constant"], found["half"]
        before = _share([sample.as_independent for sample in constant], "drifted")
        cells = (_rows_worth(constant), _verdicts(constant), before)
        cells += (_rows_worth(half), _verdicts(half))
        print(f"| {traffic.rows:,} | {traffic.name} | {' | '.join(cells)} |", flush=True)


def _print_shifted(judged: Judge) -> None:
    print(
        "\n| rows | entities | shift | constant: ok, unknown, drifted | half | free |"
        "\n|--:|---|--:|---|---|---|"
    )
    for traffic in SHIFTED:
        cells = [_verdicts(samples) for samples in judged(traffic).values()]
        where = f"{traffic.rows:,} | {traffic.name} | {traffic.shift:g}"
        print(f"| {where} | {' | '.join(cells)} |", flush=True)


def _rows_worth(samples: list[Judged]) -> str:
    return f"{statistics.median(sample.counts_as for sample in samples):,.0f}"


def _verdicts(samples: list[Judged]) -> str:
    verdicts = [sample.verdict for sample in samples]
    return ", ".join(_share(verdicts, name) for name in VERDICTS)


def _share(verdicts: list[str], name: str) -> str:
    return f"{100 * verdicts.count(name) / len(verdicts):.3g}%"


if __name__ == "__main__":
    main()
