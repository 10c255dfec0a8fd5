"""The log that is replayed: an artifact's answers, as a gateway writes and a sealer seals them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from benchmarks.race import cases
from gnomon.artifact import Artifact, inspect
from gnomon.contract import Decoder
from gnomon.log import REQUESTS, SegmentWriter, new_request_id, request_schema, stream_folder
from gnomon.log.seal import Sealer
from gnomon.offline.rerun import Rerun
from gnomon.settings import Settings
from gnomon.worker import WorkerClient
from models.data import FEATURES, flights, records

__all__ = ["packed", "write"]

REQUEST_ROWS = 10
BATCH_ROWS = 2_000
MONTHS = (4, 5, 6)
ARRIVED = datetime(2013, 4, 1, tzinfo=UTC)


def packed(folder: Path) -> Artifact:
    """Pack the flights' logistic regression, in a model store that this process uses now."""
    cases.prepare((), folder)
    tag, _ = cases.trained("logistic")
    return inspect(tag)


def write(artifact: Artifact, rows: int, root: Path) -> None:
    """Write the answers to so many rows under a storage root, and seal them."""
    settings = Settings(root=str(root))
    schema = request_schema(artifact.contract)
    stream = stream_folder(settings, artifact.name, "here", REQUESTS)
    writer = SegmentWriter(stream, schema, settings=settings)
    with WorkerClient(artifact, settings) as client:
        rerun = Rerun(client, artifact, settings)
        for number, part in enumerate(_parts(rows)):
            if writer.needs_rotation:
                writer.rotate()
            writer.append(_answered(part, number * BATCH_ROWS, artifact, rerun, schema))
    writer.rotate()  # the last segment is not sealed: let it be an empty one
    writer.close()
    Sealer(settings, artifact.name).seal()


def _parts(rows: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the same flights again and again."""
    asked = list(records(flights(*MONTHS)[list(FEATURES)].reset_index(drop=True)))
    endless = itertools.cycle(asked)
    for start in range(0, rows, BATCH_ROWS):
        yield list(itertools.islice(endless, min(BATCH_ROWS, rows - start)))


def _answered(
    part: list[dict[str, Any]], first: int, artifact: Artifact, rerun: Rerun, schema: pa.Schema
) -> pa.RecordBatch:
    """Make a batch of the log: requests of a few rows, the body with the first row of each."""
    starts = range(0, len(part), REQUEST_ROWS)
    bodies = [msgspec.json.encode({"rows": part[at : at + REQUEST_ROWS]}) for at in starts]
    decoder = Decoder(artifact.contract)
    inputs = decoder.batch([row for body in bodies for row in decoder.decode(body).rows])
    outputs = rerun.score(inputs)
    ids = [new_request_id() for _ in bodies]
    places = [divmod(place, REQUEST_ROWS) for place in range(len(part))]
    columns = {
        "request_id": [ids[request] for request, _ in places],
        "row": [row for _, row in places],
        "raw": [None if row else bodies[request] for request, row in places],
        "arrived": [ARRIVED + timedelta(milliseconds=first + request) for request, _ in places],
        **{f"input_{name}": inputs.column(name) for name in inputs.schema.names},
        **{f"output_{n}": outputs.column(n) for n in outputs.schema.names if n != "error"},
    }
    same = {
        "role": "live", "outcome": "answered", "artifact": artifact.tag, "protocol": "json",
        "digest": artifact.digest, "epoch": 1, "scored_us": 500, "batch_rows": BATCH_ROWS,
    }  # fmt: skip
    return pa.RecordBatch.from_arrays(
        [_column(field, columns, same.get(field.name), len(part)) for field in schema],
        schema=schema,
    )


def _column(field: pa.Field, columns: Mapping[str, Any], same: object, rows: int) -> pa.Array:
    values = columns.get(field.name, [same] * rows)
    return values.cast(field.type) if isinstance(values, pa.Array) else pa.array(values, field.type)
