"""The rows that a gateway writes to the log, column by column."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa

from gnomon.log.segments.schema import ENVELOPE
from gnomon.service.lane.pending_request import PendingRequest

__all__ = ["LaneIdentity", "PendingRecords", "WorkerCall", "record", "spread"]

TYPES = {field.name: field.type for field in ENVELOPE}
LONG_BYTES = 65_536
"""Copying a body of this length takes a tenth of a millisecond, and a longer one takes more."""
REMEMBERED_ROWS = 128
"""The longest columns that are cached for later batches; all of them take about a megabyte."""


class WorkerCall(NamedTuple):
    """One call of the worker.

    Attributes:
        rows: how many rows it scored.
        sent: when the rows were sent to the worker, in monotonic nanoseconds.
        micros: microseconds the worker spent.
        worked: these microseconds without the wait for a processor.
    """

    rows: int
    sent: int
    micros: int
    worked: int


class LaneIdentity(NamedTuple):
    """The identity of a lane, which is logged with each row that reached it.

    Attributes:
        artifact: its artifact's tag.
        digest: the hash of that artifact's manifest.
        epoch: the rollout decision that made it live.
        schema: the schema of the segments with its rows.
    """

    artifact: str
    digest: str
    epoch: int
    schema: pa.Schema


class PendingRecords(NamedTuple):
    """The part of log records that is known before the answers; made while the worker scores.

    Attributes:
        requests: the requests, in row order.
        columns: columns of the envelope, by name.
        inputs: the decoded rows; None if they are not scored.
    """

    requests: Sequence[PendingRequest]
    columns: dict[str, pa.Array]
    inputs: pa.RecordBatch | None

    @classmethod
    def of(
        cls,
        requests: Sequence[PendingRequest],
        lane: LaneIdentity | None,
        inputs: pa.RecordBatch | None = None,
        sent: int | None = None,
    ) -> PendingRecords:
        """Make the records of requests as they were received.

        Args:
            requests: the requests, in row order.
            lane: the lane they had reached, if any.
            inputs: their decoded rows, if they are scored.
            sent: when they were sent to the worker, in monotonic nanoseconds.
        """
        sizes = [len(request.rows) for request in requests]
        rows = sum(sizes)
        one_row_each = rows == len(requests)
        values: dict[str, Any] = {
            "request_id": _spread([request.request_id for request in requests], sizes),
            "row": 0 if one_row_each else [row for size in sizes for row in range(size)],
            "role": "live",
            "client_id": _any(_spread([request.client_id for request in requests], sizes)),
            "arrived": _spread([request.arrived for request in requests], sizes),
            "protocol": "json",
            "raw": _bodies([request.body for request in requests], sizes),
            "unknown": _any(_first([list(request.unknown) or None for request in requests], sizes)),
            "artifact": None if lane is None else lane.artifact,
            "digest": None if lane is None else lane.digest,
            "epoch": None if lane is None else lane.epoch,
            "queued_us": None
            if sent is None
            else _spread([(sent - request.started) // 1000 for request in requests], sizes),
            "batch_rows": None if sent is None else rows,
        }
        columns = {name: _column(value, TYPES[name], rows) for name, value in values.items()}
        return cls(requests, columns, inputs)

    def in_parts(self, calls: Sequence[WorkerCall]) -> PendingRecords:
        """Return the records of one request whose rows were scored in several calls, in order."""
        [request] = self.requests
        sizes = [call.rows for call in calls]
        values = {
            "queued_us": _spread([(call.sent - request.started) // 1000 for call in calls], sizes),
            "batch_rows": _spread(sizes, sizes),
        }
        columns = {name: pa.array(value, TYPES[name]) for name, value in values.items()}
        return self._replace(columns={**self.columns, **columns})

    def filter(self, mask: pa.BooleanArray) -> PendingRecords:
        """Return the records of the requests not settled yet; ``mask`` selects their rows."""
        columns = {name: column.filter(mask) for name, column in self.columns.items()}
        inputs = None if self.inputs is None else self.inputs.filter(mask)
        return PendingRecords(
            [request for request in self.requests if not request.settled], columns, inputs
        )


def record(
    pending: PendingRecords,
    schema: pa.Schema,
    *,
    outcome: Any,
    code: Any,
    error: Any,
    calls: Sequence[WorkerCall] = (),
    outputs: Sequence[pa.Array] = (),
) -> pa.RecordBatch:
    """Return one log record per row: the envelope, then input and output columns, if any.

    Args:
        pending: the part known before the answers.
        schema: the schema of the log, with these inputs and outputs, if there are any.
        outcome: the outcome, one for all rows or one for each; the same for the next two.
        code: the code of the error.
        error: the text of the error.
        calls: the calls of the worker, in the order of the rows; none if they were not scored.
        outputs: the worker's outputs.
    """
    sizes = [len(request.rows) for request in pending.requests]
    rows = sum(sizes)
    now = time.perf_counter_ns()
    results: dict[str, Any] = {
        "outcome": outcome,
        "error_code": code,
        "error": error,
        "scored_us": _micros(calls),
        "total_us": _spread(
            [(now - request.started) // 1000 for request in pending.requests], sizes
        ),
    }
    envelope = [
        pending.columns[name] if name in pending.columns else _column(results[name], kind, rows)
        for name, kind in TYPES.items()
    ]
    if pending.inputs is not None:
        columns = [*pending.inputs.columns, *outputs]
    else:
        columns = [pa.nulls(rows, kind) for kind in schema.types[len(TYPES) :]]
    return pa.RecordBatch.from_arrays([*envelope, *columns], schema=schema)


def _micros(calls: Sequence[WorkerCall]) -> int | list[int] | None:
    if len(calls) > 1:
        return _spread([call.worked for call in calls], [call.rows for call in calls])
    return calls[0].worked if calls else None


def spread(values: list[Any], requests: Sequence[PendingRequest]) -> list[Any]:
    """Return a list with each request's value for every one of its rows."""
    return _spread(values, [len(request.rows) for request in requests])


def _column(value: Any, kind: pa.DataType, rows: int) -> pa.Array:
    """Return a column from a list, an array, or one value for every row."""
    if isinstance(value, pa.Array):
        return value
    if isinstance(value, list):
        return pa.array(value, kind)
    if rows <= REMEMBERED_ROWS and (value is None or isinstance(value, str)):
        return _repeated(value, kind, rows)
    return pa.repeat(pa.scalar(value, kind), rows)


@lru_cache(maxsize=1024)
def _repeated(value: str | None, kind: pa.DataType, rows: int) -> pa.Array:
    """Return a cached column that many batches share."""
    return pa.repeat(pa.scalar(value, kind), rows)


def _any(values: list[Any]) -> list[Any] | None:
    """Return the values; None if all of them are None."""
    return values if any(value is not None for value in values) else None


def _spread(values: list[Any], sizes: list[int]) -> list[Any]:
    if len(values) == sum(sizes):
        return values
    return [value for value, size in zip(values, sizes, strict=True) for _ in range(size)]


def _bodies(bodies: list[bytes | bytearray], sizes: list[int]) -> pa.Array | list[Any]:
    """Return a column with each body on its request's first row, without copying a long one."""
    if len(bodies) > 1 or len(bodies[0]) < LONG_BYTES:
        return _first(bodies, sizes)
    [rows], [body] = sizes, bodies
    first_only = bytes([1]) + bytes(rows // 8)
    ends = [0, *[len(body)] * rows]
    buffers = [first_only, pa.array(ends, pa.int32()).buffers()[1], body]
    return pa.Array.from_buffers(TYPES["raw"], rows, [*map(pa.py_buffer, buffers)], rows - 1)


def _first(values: list[Any], sizes: list[int]) -> list[Any]:
    """Return a list with each request's value for its first row only."""
    if len(values) == sum(sizes):
        return values
    return [
        value if row == 0 else None
        for value, size in zip(values, sizes, strict=True)
        for row in range(size)
    ]
