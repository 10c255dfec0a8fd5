"""A log with live and shadow answers to label, written straight into segments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from msgspec import structs

from gnomon.contract.contract import Contract, Feature, Output
from gnomon.labels.label import Label
from gnomon.labels.label_reader import LabelReader
from gnomon.labels.labelled_rows import ShadowAnswers, labelled_rows
from gnomon.log import (
    REQUESTS,
    InferenceLog,
    SegmentWriter,
    new_request_id,
    request_schema,
    shadow_schema,
    shadow_stream,
    stream_folder,
)
from gnomon.settings import Settings

DAY = datetime(2026, 11, 1, 12, tzinfo=UTC)
LIVE, SHADOW = "toy:live", "toy:next"

CONTRACT = Contract(
    task="classification",
    features=(
        Feature(name="customer", type="string", dtype="object", nullable=True),
        Feature(name="asked", type="timestamp", dtype="datetime64[us, UTC]", timezone="UTC"),
    ),
    outputs=(
        Output(name="prediction", type="string"),
        Output(name="probability_no", type="float"),
        Output(name="probability_yes", type="float"),
    ),
    classes=("no", "yes"),
    entity_key=("customer",),
    event_time="asked",
)
TIMELESS = structs.replace(CONTRACT, event_time=None)
TWO_TARGETS = structs.replace(
    CONTRACT,
    task="classification",
    classes=(),
    outputs=(
        Output(name="prediction_late", type="string", kind="prediction", target="late",
               classes=("no", "yes")),
        Output(name="prediction_gate", type="integer", kind="prediction", target="gate",
               classes=(1, 2)),
    ),
)  # fmt: skip


def log_live(
    settings: Settings, rows: Iterable[dict[str, Any]], contract: Contract = CONTRACT
) -> list[str]:
    """Write live rows, one request each unless they say otherwise; return their request ids.

    ``hour`` is when a row arrived and was asked, in hours after :data:`DAY`.
    """
    whole = []
    for row in rows:
        hour = row.pop("hour", 0)
        row.setdefault("input_customer", row.pop("customer", None))
        time = DAY + timedelta(hours=hour)
        base = {
            "request_id": new_request_id(), "row": 0, "role": "live", "outcome": "answered",
            "artifact": LIVE, "arrived": time, "input_asked": time,
        }  # fmt: skip
        if contract is CONTRACT:
            base |= {"output_prediction": "yes", "output_probability_yes": 0.75}
        whole.append({**base, **row})
    _write(settings, REQUESTS, request_schema(contract), whole)
    return [row["request_id"] for row in whole]


def log_shadow(settings: Settings, request_ids: Iterable[str], **columns: Any) -> None:
    """Write a shadow's records of the first rows of requests."""
    row = {
        "row": 0, "role": "shadow", "outcome": "scored", "artifact": SHADOW, "against": LIVE,
        "epoch": 2, "arrived": DAY, "agreed": False, "flipped": True,
        "output_prediction": "no", "output_probability_yes": 0.25, **columns,
    }  # fmt: skip
    rows = [{**row, "request_id": request} for request in request_ids]
    _write(settings, shadow_stream(SHADOW.partition(":")[2]), shadow_schema(CONTRACT), rows)


def _write(settings: Settings, stream: str, schema: pa.Schema, rows: list[dict[str, Any]]) -> None:
    folder = stream_folder(settings, "toy", "here", stream)
    writer = SegmentWriter(folder, schema, settings=settings)
    writer.append(pa.RecordBatch.from_pylist(rows, schema=schema))
    writer.close()


def stored(*labels: Label, contract: Contract = CONTRACT, at: datetime | None = None) -> pa.Table:
    """Return labels as the store returns them."""
    places = [(f"$[{number}]", label) for number, label in enumerate(labels)]
    now = at or DAY + timedelta(days=30)
    return pa.Table.from_batches([LabelReader(contract).records(places, now)])


def joined(
    settings: Settings, records: pa.Table, contract: Contract = CONTRACT, **options: Any
) -> list[dict[str, Any]]:
    """Return the labelled rows."""
    log = InferenceLog(settings, "toy")
    options = {"within": timedelta(hours=24), **options}
    batches = labelled_rows(log, records, contract, **options)
    return [row for batch in batches for row in batch.to_pylist()]


ANSWERS = ShadowAnswers(SHADOW, CONTRACT)
