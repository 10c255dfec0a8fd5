"""A served classifier and a served regressor whose true losses are known, in a log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gnomon.contract import Contract
from gnomon.contract.feature import Feature, Output
from gnomon.log import REQUESTS, InferenceLog, SegmentWriter, request_schema, stream_folder
from gnomon.rollout.quality.paired_rows import LABELS
from gnomon.settings import Settings

Floats = npt.NDArray[np.float64]

NOW = datetime(2026, 11, 30, tzinfo=UTC)
TAG = "toy:live"

FEATURES = (
    Feature(name="x", type="float", dtype="float64", nullable=True),
    Feature(name="town", type="string", dtype="object", nullable=True),
    Feature(name="customer", type="string", dtype="object", nullable=True),
)
CLASSIFIER = Contract(
    task="classification",
    classes=("no", "yes"),
    features=FEATURES,
    outputs=(
        Output(name="prediction", type="string"),
        Output(name="probability_no", type="float"),
        Output(name="probability_yes", type="float"),
    ),
    entity_key=("customer",),
)
REGRESSOR = Contract(
    task="regression",
    features=FEATURES,
    outputs=(Output(name="prediction", type="float"),),
    entity_key=("customer",),
)


class Served(NamedTuple):
    """Rows and their labels.

    Attributes:
        inputs: the features.
        outputs: the answers.
        labels: texts.
    """

    inputs: pa.Table
    outputs: pa.Table
    labels: list[str]


def features(x: Floats, random: np.random.Generator) -> pa.Table:
    """Return inputs; each row is of a customer of its own."""
    towns = np.array(["Bern", "Oslo", "Rome"])[random.integers(0, 3, len(x))]
    customers = [f"c{n}" for n in random.integers(0, 1 << 40, len(x))]
    return pa.table({"x": x, "town": towns, "customer": customers})


def classified(
    rows: int, random: np.random.Generator, *, low: float = -2.0, high: float = 2.0
) -> Served:
    """Return answers of a classifier that is too sure of itself: the true log-odds are half."""
    x = random.uniform(low, high, rows)
    given, true = (1 / (1 + np.exp(-x * slope)) for slope in (2.0, 1.0))
    labels = np.where(random.random(rows) < true, "yes", "no")
    outputs = pa.table(
        {
            "prediction": np.where(given > 0.5, "yes", "no"),
            "probability_no": 1 - given,
            "probability_yes": given,
        }
    )
    return Served(features(x, random), outputs, labels.tolist())


def predicted(
    rows: int, random: np.random.Generator, *, low: float = -2.0, high: float = 2.0
) -> Served:
    """Return answers of a regressor, 0, to labels whose deviation is the size of x."""
    x = random.uniform(low, high, rows)
    labels = random.normal(0.0, np.abs(x))
    return Served(
        features(x, random), pa.table({"prediction": np.zeros(rows)}), list(map(str, labels))
    )


def log_served(
    settings: Settings, contract: Contract, days: dict[float, Served], *, labelled: float = 0.0
) -> pa.Table:
    """Log rows that arrived so many days before :data:`NOW`; return labels of the older ones.

    Args:
        days: the rows by their age.
        labelled: rows of at least this age have labels.
    """
    labels: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    for age, served in sorted(days.items(), reverse=True):
        arrived = NOW - timedelta(days=age)
        sides = (served.inputs.to_pylist(), served.outputs.to_pylist(), served.labels)
        for place, (inputs, outputs, label) in enumerate(zip(*sides, strict=True)):
            address = {"request_id": f"r{100 - age:08.3f}-{place:06d}", "row": 0}
            row = {**address, "arrived": arrived + timedelta(seconds=place), "artifact": TAG,
                   "role": "live", "outcome": "answered"}  # fmt: skip
            row |= {f"input_{name}": value for name, value in inputs.items()}
            records.append(row | {f"output_{name}": value for name, value in outputs.items()})
            if age >= labelled:
                known = {"label": label, "known_at": NOW, "arrived": row["arrived"]}
                labels.append({**address, **known})
    schema = request_schema(contract)
    folder = stream_folder(settings, "toy", "here", REQUESTS)
    writer = SegmentWriter(folder, schema, settings=settings)
    writer.append(pa.RecordBatch.from_pylist(records, schema=schema))
    writer.close()
    return pa.Table.from_pylist(labels, schema=LABELS)


def log_of(settings: Settings) -> InferenceLog:
    """Return the log."""
    return InferenceLog(settings, "toy")


def arrays(table: pa.Table) -> dict[str, pa.Array]:
    """Return the columns of a table by name, each in one piece."""
    return {name: table.column(name).combine_chunks() for name in table.column_names}
