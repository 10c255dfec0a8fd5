"""A log of live and shadow rows written straight into segments, to judge by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from msgspec import structs

from gnomon.contract.contract import Contract, Feature, Output
from gnomon.log import (
    REQUESTS,
    SegmentWriter,
    new_request_id,
    request_schema,
    shadow_schema,
    shadow_stream,
    stream_folder,
)
from gnomon.settings import Settings

CONTRACT = Contract(
    task="regression",
    features=(Feature(name="x", type="float", dtype="float64"),),
    outputs=(Output(name="prediction", type="float"),),
)
CUSTOMER = Feature(name="customer", type="string", dtype="object", nullable=True)
OF_CUSTOMERS = structs.replace(CONTRACT, features=(*CONTRACT.features, CUSTOMER))
"""That of a shadow's rows, which may have an entity."""

LIVE, SHADOW = "toy:live", "toy:next"


def _write(settings: Settings, stream: str, schema: pa.Schema, rows: list[dict[str, Any]]) -> None:
    folder = stream_folder(settings, "toy", "here", stream)
    writer = SegmentWriter(folder, schema, settings=settings)
    whole = [
        {"request_id": new_request_id(), "row": 0, "arrived": datetime.now(UTC), **row}
        for row in rows
    ]
    writer.append(pa.RecordBatch.from_pylist(whole, schema=schema))
    writer.close()


def log_live(settings: Settings, rows: int, **columns: Any) -> None:
    """Rows that live answered."""
    row = {
        "role": "live", "outcome": "answered", "artifact": LIVE, "scored_us": 1_000,
        "batch_rows": 1, **columns,
    }  # fmt: skip
    _write(settings, REQUESTS, request_schema(CONTRACT), [row] * rows)


def log_shadow(
    settings: Settings,
    *,
    agreed: int = 0,
    disagreed: int = 0,
    flipped: int = 0,
    failed: int = 0,
    artifact: str = SHADOW,
    against: str = LIVE,
    epoch: int = 2,
    scored_us: int = 1_000,
    customers: int = 0,
    arrived: datetime | None = None,
) -> None:
    """Rows that a shadow recorded, of so many customers in turns; 0 is of none."""
    base = {
        "role": "shadow", "artifact": artifact, "against": against, "epoch": epoch,
        "scored_us": scored_us, "batch_rows": 1, "outcome": "scored",
        "arrived": arrived or datetime.now(UTC),
    }  # fmt: skip
    same = {"agreed": True, "flipped": False, "difference": 0.0}
    apart = {"agreed": False, "flipped": False, "difference": 0.2}
    flip = {"agreed": False, "flipped": True, "difference": 0.1}
    fail = {"outcome": "failed", "error_code": "prediction_failed", "error": "no"}
    rows = [
        {**base, **kind}
        for kind, count in ((same, agreed), (apart, disagreed), (flip, flipped), (fail, failed))
        for _ in range(count)
    ]
    if customers:
        named = enumerate(rows)
        rows = [{**row, "input_customer": f"c{index % customers}"} for index, row in named]
    stream = shadow_stream(artifact.partition(":")[2])
    _write(settings, stream, shadow_schema(OF_CUSTOMERS), rows)
