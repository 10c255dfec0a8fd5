"""Live and shadow rows of a classifier written straight into segments, and their labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa

from gnomon.contract.contract import Contract, Feature, Output
from gnomon.log import (
    REQUESTS,
    SegmentWriter,
    request_schema,
    shadow_schema,
    shadow_stream,
    stream_folder,
)
from gnomon.rollout.quality.paired_rows import LABELS, PairedRun
from gnomon.settings import Settings

LIVE, SHADOW = "toy:live", "toy:next"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)

CLASSIFIER = Contract(
    task="classification",
    classes=("late", "on_time"),
    features=(
        Feature(name="hour", type="float", dtype="float64"),
        Feature(name="customer", type="string", dtype="object", nullable=True),
    ),
    outputs=(
        Output(name="prediction", type="string"),
        Output(name="probability_late", type="float"),
        Output(name="probability_on_time", type="float"),
    ),
)
BY_CUSTOMER = Contract(
    task="classification",
    classes=CLASSIFIER.classes,
    features=CLASSIFIER.features,
    outputs=CLASSIFIER.outputs,
    entity_key=("customer",),
)
REGRESSOR = Contract(
    task="regression",
    features=CLASSIFIER.features,
    outputs=(Output(name="prediction", type="float"),),
)
RUN = PairedRun(live=LIVE, live_contract=CLASSIFIER, shadow=SHADOW, shadow_contract=CLASSIFIER)


class Row(NamedTuple):
    """One row: both probabilities of being late, its label and its age.

    It is the only row of its request, unless ``request`` names one.
    """

    live: float
    shadow: float
    label: str | None = None
    days_old: float = 1.0
    customer: str | None = None
    hour: float = 0.0
    request: str | None = None


def log_rows(
    settings: Settings, rows: Sequence[Row], *, epoch: int = 2, since: int = 0
) -> pa.Table:
    """Log the rows of both, and return their labels; ids count from ``since``."""
    live = {"role": "live", "outcome": "answered", "artifact": LIVE}
    shadow = {
        "role": "shadow", "outcome": "scored", "artifact": SHADOW, "against": LIVE, "epoch": epoch,
    }  # fmt: skip
    sides = [
        (REQUESTS, request_schema(CLASSIFIER), live),
        (shadow_stream("next"), shadow_schema(CLASSIFIER), shadow),
    ]
    labels: list[dict[str, Any]] = []
    for place, (stream, schema, common) in enumerate(sides):
        records: list[dict[str, Any]] = []
        sent = Counter[str]()
        for number, row in enumerate(rows, since):
            late = row[place]
            arrived = NOW - timedelta(days=row.days_old)
            request = row.request or f"r{number}"
            address = {"request_id": request, "row": sent[request]}
            sent[request] += 1
            records.append(
                {
                    **address, "arrived": arrived, **common,
                    "input_customer": row.customer, "input_hour": row.hour,
                    "output_prediction": "late" if late > 0.5 else "on_time",
                    "output_probability_late": late, "output_probability_on_time": 1 - late,
                }
            )  # fmt: skip
            if place and row.label is not None:
                labels.append({**address, "label": row.label, "known_at": NOW})
        folder = stream_folder(settings, "toy", "here", stream)
        writer = SegmentWriter(folder, schema, settings=settings)
        writer.append(pa.RecordBatch.from_pylist(records, schema=schema))
        writer.close()
    return pa.Table.from_pylist(labels, schema=LABELS)
