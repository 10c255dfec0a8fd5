"""Rows to log, and a process that logs them."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from gnomon.contract.contract import Contract, Feature, Output
from gnomon.log import Position, SegmentWriter, Tail, request_schema, shadow_schema
from gnomon.settings import Settings

CONTRACT = Contract(
    task="regression",
    features=(Feature(name="hour", type="integer", dtype="int64"),),
    outputs=(Output(name="prediction", type="float"),),
)
REQUESTS_SCHEMA = request_schema(CONTRACT)
SHADOW_SCHEMA = shadow_schema(CONTRACT)
NOON = dt.datetime(2013, 4, 1, 12, tzinfo=dt.UTC)


def settings(tmp_path: Path, **values: Any) -> Settings:
    """Settings with a storage root of the test's own."""
    return Settings(root=str(tmp_path / "root"), **values)


def live(ids: Sequence[str], schema: pa.Schema = REQUESTS_SCHEMA, **values: Any) -> pa.RecordBatch:
    """One answered live row for each id; a list in ``values`` gives one value a row."""
    defaults = {
        "request_id": list(ids),
        "row": 0,
        "role": "live",
        "outcome": "answered",
        "arrived": NOON,
        "raw": b'{"hour": 5}',
        "artifact": "flights:1",
        "epoch": 1,
        "input_hour": 5,
        "output_prediction": 0.5,
        **values,
    }
    columns = []
    for field in schema:
        value = defaults.get(field.name)
        per_row = value if isinstance(value, list) else [value] * len(ids)
        columns.append(pa.array(per_row, field.type))
    return pa.record_batch(columns, schema=schema)


def shadow(ids: Sequence[str], read_to: Position, **values: Any) -> pa.RecordBatch:
    """One scored shadow row for each id, read from the live batch that ends at ``read_to``."""
    columns = {
        "role": "shadow",
        "outcome": "scored",
        "artifact": "flights:2",
        "raw": None,
        "source_segment": read_to.segment,
        "source_end": read_to.offset,
        "agreed": True,
        **values,
    }
    return live(ids, SHADOW_SCHEMA, **columns)


def ids_of(batches: Sequence[pa.RecordBatch]) -> list[str]:
    """The request ids, in order."""
    return [value for batch in batches for value in batch.column("request_id").to_pylist()]


def drain(tail: Tail) -> list[pa.RecordBatch]:
    """Every batch there is now."""
    batches = []
    while more := tail.poll():
        batches += [batch for _, batch in more]
    return batches


def main(folder: str, prefix: str) -> None:
    """Append for ever, every tenth batch written apart; say an id on standard output when its
    append has returned."""
    writer = SegmentWriter(
        Path(folder), REQUESTS_SCHEMA, settings=Settings(segment_bytes=20_000, root="unused")
    )
    for number in range(1_000_000):
        if writer.needs_rotation:
            writer.rotate()
            writer.fsync()
        batch = live([f"{prefix}-{number}"], raw=b"x" * (number % 3000))
        if number % 10:
            writer.append(batch)
        else:
            writer.append_apart(writer.write_apart(batch))
        sys.stdout.write(f"{prefix}-{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
