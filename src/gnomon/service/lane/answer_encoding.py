"""The encoding of scored columns as the JSON that a client reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa

from gnomon.contract import Contract, Output
from gnomon.errors import GnomonError, InvalidRequest, PredictionFailed
from gnomon.service.answer_shape import Shape, answer_shape
from gnomon.service.lane.pending_request import Answer, PendingRequest
from gnomon.worker.failure_attribution import row_error
from gnomon.worker.messages import ERROR

__all__ = ["answers", "failure", "lines", "many"]

_encoder = msgspec.json.Encoder()
_encode = _encoder.encode


def answers(
    requests: Sequence[PendingRequest], scored: pa.RecordBatch, contract: Contract, artifact: str
) -> list[Answer]:
    """Return one answer per request, given the scored rows of all of them in order.

    A single record is answered as :mod:`gnomon.service.answer_shape` says, such as with
    ``prediction`` and ``probabilities`` by class; if it failed, with 500, or with 422 if one of its
    values is to blame. A request of many rows is answered with ``rows``: for each row such an
    object, or its ``error``.
    """
    rows = _rows(scored, contract)
    errors = scored.column(ERROR).to_pylist()
    results: list[Answer] = []
    start = 0
    for request in requests:
        stop = start + len(request.rows)
        head = {"request_id": request.request_id, "artifact": artifact}
        if not request.single:
            results.append(Answer(200, _many(head, rows[start:stop], errors[start:stop])))
        elif errors[start] is None:
            results.append(Answer(200, _encode({**head, **rows[start]})))
        else:
            results.append(Answer.of(failure(errors[start], "$"), request.request_id))
        start = stop
    return results


def many(scored: pa.RecordBatch, contract: Contract, request_id: str, artifact: str) -> bytes:
    """Return the answer to one request of many rows, as JSON."""
    head = {"request_id": request_id, "artifact": artifact}
    return _many(head, _rows(scored, contract), scored.column(ERROR).to_pylist())


def lines(
    scored: pa.RecordBatch,
    contract: Contract,
    request_id: str,
    artifact: str,
    numbers: Sequence[int],
) -> bytes:
    """Return the answer to a part of a stream: one line per row, with its line number there."""
    rows = _rows(scored, contract)
    errors = scored.column(ERROR).to_pylist()
    return _encoder.encode_lines(
        [
            {
                "line": number,
                "request_id": request_id,
                "row": place,
                "artifact": artifact,
                **(row if error is None else failure(error, "$").body(request_id)),
            }
            for place, (number, row, error) in enumerate(zip(numbers, rows, errors, strict=True))
        ]
    )


def _many(
    head: dict[str, Any], rows: Sequence[dict[str, Any]], errors: Sequence[str | None]
) -> bytes:
    row_answers = [
        row if error is None else {"error": failure(error, f"$.rows[{number}]").body()["error"]}
        for number, (row, error) in enumerate(zip(rows, errors, strict=True))
    ]
    return _encode({**head, "rows": row_answers})


def _rows(scored: pa.RecordBatch, contract: Contract) -> list[dict[str, Any]]:
    return _values(answer_shape(contract), scored)


def _values(shape: Shape | Output, scored: pa.RecordBatch) -> list[Any]:
    """Return what each row has for a shape, or for one of its outputs."""
    if isinstance(shape, Output):
        return list(scored.column(shape.name).to_pylist())
    columns = [_values(part, scored) for part in shape.values()]
    return [dict(zip(shape, row, strict=True)) for row in zip(*columns, strict=True)]


def failure(error: str, path: str) -> GnomonError:
    """Return the error for the client of a row that failed, through one of its values or otherwise.

    Args:
        error: the row's error, from the worker.
        path: the row's path in the request.
    """
    if (invalid := row_error(error)) is not None:
        where, message = invalid
        return InvalidRequest(message, where=path + where)
    return PredictionFailed(
        error, hint="the request is in the log; replay it with `gnomon replay` to see the step"
    )
