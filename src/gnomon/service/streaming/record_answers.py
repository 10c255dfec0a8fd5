"""The answers to the parts of a stream of records, in the format that the records came in."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pyarrow as pa

from gnomon.errors import InvalidRequest
from gnomon.service.http.arrow_messages import END
from gnomon.service.http.media_types import ARROW, LINES
from gnomon.service.lane.answer_encoding import failure
from gnomon.service.lane.pending_request import Answer
from gnomon.service.slice.stream_scoring import RefusedRow, ScoredPart
from gnomon.wire_errors import SentError
from gnomon.worker.messages import ERROR, read_batch, scored_schema

__all__ = ["ArrowAnswers", "LineAnswers"]


class LineAnswers:
    """Answers as lines of JSON."""

    content_type = LINES.encode()

    def part(self, scored: ScoredPart) -> bytes:
        body = b"" if scored.answer is None else scored.answer.body
        if not scored.refused:
            return body
        lines = body.splitlines(keepends=True)
        lines_by_place = dict(zip(scored.places, lines, strict=True))
        for row in scored.refused:
            lines_by_place[row.place] = self._refused(scored, row)
        return b"".join(lines_by_place[place] for place in sorted(lines_by_place))

    def failure(self, answer: Answer) -> bytes:
        return answer.body + b"\n"

    def end(self) -> bytes:
        return b""

    def _refused(self, scored: ScoredPart, row: RefusedRow) -> bytes:
        line = {
            "line": scored.part.numbers[row.place],
            "request_id": row.request_id,
            "row": 0,
            "artifact": scored.artifact,
            **row.error.body(row.request_id),
        }
        return msgspec.json.encode(line) + b"\n"


class ArrowAnswers:
    """Answers as record batches, one for each batch received."""

    content_type = ARROW.encode()

    def __init__(self) -> None:
        self._outputs: pa.Schema | None = None

    def part(self, scored: ScoredPart) -> bytes:
        assert scored.contract is not None
        outputs = scored.contract.output_schema
        begins = self._outputs is None
        if begins:
            self._outputs = outputs
        elif outputs != self._outputs:
            raise InvalidRequest(
                f"{scored.artifact}, which was promoted during the stream, has other outputs than "
                "the artifact before it",
                hint="send the rows that were not answered in another request",
            )
        batch = self._batch(scored, scored_schema(outputs))
        return (bytes(batch.schema.serialize()) if begins else b"") + bytes(batch.serialize())

    def failure(self, answer: Answer) -> bytes:
        """Return a batch of one row, without a row number, as it does not belong to a record."""
        error = msgspec.json.decode(answer.body, type=_Failure).error
        assert self._outputs is not None
        cells = [
            *([None], [None], [None]),
            *([None] for _ in self._outputs),
            *([error.code], [str(error.error())]),
        ]
        schema = _answer_schema(self._outputs)
        columns = [pa.array(values, kind) for values, kind in zip(cells, schema.types, strict=True)]
        return bytes(pa.RecordBatch.from_arrays(columns, schema=schema).serialize())

    def end(self) -> bytes:
        return END

    def _batch(self, scored: ScoredPart, schema: pa.Schema) -> pa.RecordBatch:
        rows = len(scored.part.numbers)
        ids, numbers = [scored.request_id] * rows, [0] * rows
        codes: list[str | None] = [None] * rows
        errors: list[str | None] = [None] * rows
        order: list[int | None] = [None] * rows
        places = scored.places
        for index, place in enumerate(places):
            order[place] = numbers[place] = index
        if scored.answer is None:
            outputs = pa.RecordBatch.from_pylist([], schema)
        else:
            outputs = read_batch(scored.answer.body, schema)
        for index, raw in enumerate(outputs.column(ERROR).to_pylist()):
            if raw is not None:
                place, error = places[index], failure(raw, "$")
                codes[place] = error.code  # The same as in the log:
                errors[place] = str(error) if isinstance(error, InvalidRequest) else raw
        for row in scored.refused:
            ids[row.place] = row.request_id
            codes[row.place], errors[row.place] = row.error.code, str(row.error)
        if scored.refused:
            outputs = outputs.take(pa.array(order, pa.int64()))
        columns = [
            *(pa.array(ids, pa.string()), pa.array(numbers, pa.int32())),
            pa.repeat(scored.artifact, rows),
            *outputs.columns[:-1],
            *(pa.array(codes, pa.string()), pa.array(errors, pa.string())),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=_answer_schema([*schema][:-1]))


class _Failure(msgspec.Struct):
    error: SentError


def _answer_schema(outputs: Iterable[pa.Field]) -> pa.Schema:
    """Return the schema; an output named like another column (``row``) becomes ``output/row``."""
    head = [pa.field("request_id", pa.string()), pa.field("row", pa.int32())]
    head.append(pa.field("artifact", pa.string()))
    tail = [pa.field("error_code", pa.string()), pa.field("error", pa.string())]
    reserved = {field.name for field in (*head, *tail)}
    fields = [
        field.with_name(f"output/{field.name}") if field.name in reserved else field
        for field in outputs
    ]
    return pa.schema([*head, *fields, *tail])
