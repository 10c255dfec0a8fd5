"""A shadow's answers to logged requests: decode the bodies, score, compare with live's answers."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.artifact import Artifact
from gnomon.compare.comparators import compare
from gnomon.contract import Decoder
from gnomon.errors import TableError
from gnomon.log import input_column, output_column, shadow_schema
from gnomon.log.bodies import decode
from gnomon.policy import Policy, Rules
from gnomon.shadow.feed.pace import Pace
from gnomon.shadow.feed.source import Source
from gnomon.worker import WorkerClient
from gnomon.worker.messages import ERROR, scored_schema

__all__ = ["Shadowing"]

Columns = dict[str, pa.Array]

_COPIED = ("request_id", "row", "client_id", "arrived", "protocol")
_CODES = {
    "failed": "prediction_failed",
    "crashed": "prediction_failed",
    "refused": "invalid_request",
}
_CRASHED = "crashed:"


class Shadowing:
    """Makes a shadow's records of logged requests.

    Args:
        artifact: the shadow.
        policy: its comparators decide what agrees.
        epoch: the rollout epoch the shadow was started in; it is on every record.
        batch_rows: the most rows in one batch for the worker.

    Raises:
        PolicyError: the policy names an output that the shadow lacks.
    """

    def __init__(self, artifact: Artifact, policy: Policy, epoch: int, batch_rows: int) -> None:
        policy.check_names(artifact.tag, artifact.contract.output_schema)
        self.schema = shadow_schema(artifact.contract)
        self.incomparable: str | None = None
        """Why the last answers could not be compared with live's."""
        self._contract = artifact.contract
        self._decoder = Decoder(artifact.contract)
        self._policy = policy
        self.pace = Pace(batch_rows)
        self._scored = scored_schema(artifact.contract.output_schema)
        self._rules: tuple[pa.Schema, Rules] | None = None
        self._constant = {
            "role": "shadow",
            "artifact": artifact.tag,
            "digest": artifact.digest,
            "epoch": epoch,
        }

    def records(self, client: WorkerClient, source: Source) -> pa.RecordBatch:
        """Score the eligible rows of ``source``, and return one record for each.

        Raises:
            WorkerError: the worker died and could not be replaced.
        """
        started_at = _now()
        live = source.live()
        decoded = decode(live, source.bodies(), self._decoder)
        sizes = live.column("batch_rows").take(pa.array(decoded.places)).to_pylist()
        scored, times = self._score(client, decoded.batch, sizes)

        places = _places(decoded.places, live.num_rows)
        inputs, answers, times = decoded.batch.take(places), scored.take(places), times.take(places)
        refused = pa.array([decoded.refused.get(i) for i in range(live.num_rows)], pa.string())
        outcome = _outcomes(refused, answers.column(ERROR))
        arrived = pc.cast(live.column("arrived"), pa.int64())
        columns = self._common(source, live)
        columns |= {input_column(n): inputs.column(n) for n in inputs.schema.names}
        columns |= {output_column(n): answers.column(n) for n in self._contract.output_schema.names}
        columns |= self._comparison(live, answers, np.asarray(pc.equal(outcome, "scored")))
        columns |= {
            "outcome": pc.if_else(pc.equal(outcome, "refused"), "failed", outcome),
            "error_code": pa.array([_CODES.get(code) for code in outcome.to_pylist()], pa.string()),
            "error": pc.coalesce(refused, answers.column(ERROR)),
            "unknown": pa.array([decoded.unknown.get(i) for i in range(live.num_rows)], _STRINGS),
            "queued_us": pc.subtract(started_at, arrived),
            "total_us": pc.subtract(_now(), arrived),
            "scored_us": times.column("scored_us"),
            "batch_rows": times.column("batch_rows"),
        }
        return self._assemble(columns, live.num_rows)

    def unscored(self, source: Source, outcome: str, error: str) -> pa.RecordBatch:
        """Return records of rows that could not be tried, or must not be tried again."""
        live = source.live()
        columns = self._common(source, live)
        rows = live.num_rows
        columns |= {
            "outcome": pa.repeat(outcome, rows),
            "error_code": pa.repeat(_CODES[outcome], rows),
            "error": pa.repeat(error, rows),
        }
        return self._assemble(columns, rows)

    def _score(
        self, client: WorkerClient, rows: pa.RecordBatch, sizes: Sequence[int | None]
    ) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Return the answers, and for each row the time and the size of its batch.

        Args:
            client: the shadow's worker.
            rows: the decoded rows.
            sizes: for each row, the rows in the batch in which live scored it; None if unknown.
        """
        answers, times = [_empty(self._scored)], [_empty(_TIMES)]
        scored_rows = 0
        while scored_rows < rows.num_rows:
            size, remaining = sizes[scored_rows], rows.num_rows - scored_rows
            size_like_live = (
                self.pace.like_live(size, remaining, first=not scored_rows) if size else 0
            )
            batch = rows.slice(scored_rows, size_like_live or self.pace.rows)
            scored_rows += batch.num_rows
            answers.append(client.score(batch))
            if not size_like_live:
                self.pace.took(batch.num_rows, client.micros)
            measurements = (client.worked, batch.num_rows)
            repeated = [
                pa.repeat(pa.scalar(value, field.type), batch.num_rows)
                for value, field in zip(measurements, _TIMES, strict=True)
            ]
            times.append(pa.RecordBatch.from_arrays(repeated, schema=_TIMES))
        return pa.concat_batches(answers), pa.concat_batches(times)

    def _comparison(
        self, live: pa.RecordBatch, answers: pa.RecordBatch, scored: npt.NDArray[np.bool_]
    ) -> Columns:
        """Return ``agreed``, ``flipped`` and ``difference``; null if not scored or comparable."""
        rules = self._rules_for(live.schema)
        names = list(rules.comparators)
        if not names:
            self.incomparable = "live and the shadow share no output that the policy compares"
            return {}
        live_answers = live.select([output_column(name) for name in names]).rename_columns(names)
        indices = pa.array(scored)
        try:
            result = compare(
                live_answers.filter(indices), answers.select(names).filter(indices), rules
            )
        except TableError as error:
            self.incomparable = str(error)
            return {}
        self.incomparable = None
        places = _places(np.flatnonzero(scored), live.num_rows)
        return {
            "agreed": pa.array(result.agreed).take(places),
            # Without an output to decide on, it is not known whether a row flips.
            "flipped": pa.array(result.flipped).take(places)
            if rules.decides
            else pa.nulls(live.num_rows, pa.bool_()),
            "difference": pa.array(result.difference, from_pandas=True).take(places),
        }

    def _rules_for(self, live: pa.Schema) -> Rules:
        """Return the comparators of the outputs that live and shadow share."""
        if self._rules is None or self._rules[0] != live:
            outputs = self._contract.output_schema
            shared = [field for field in outputs if output_column(field.name) in live.names]
            answered = self._contract.compared_as
            rules = self._policy.rules(pa.schema(shared), outputs=answered)
            self._rules = live, rules
        return self._rules[1]

    def _common(self, source: Source, live: pa.RecordBatch) -> Columns:
        """Return the columns that every record copies from its live row."""
        segments, offsets = source.addresses()
        columns = {name: live.column(name) for name in _COPIED}
        return columns | {
            "against": live.column("artifact"),
            "source_segment": segments,
            "source_end": offsets,
        }

    def _assemble(self, columns: Columns, rows: int) -> pa.RecordBatch:
        arrays = [
            columns[field.name].cast(field.type)
            if field.name in columns
            else pa.repeat(pa.scalar(self._constant.get(field.name), field.type), rows)
            for field in self.schema
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


_STRINGS = pa.list_(pa.string())
_TIMES = pa.schema([("scored_us", pa.int64()), ("batch_rows", pa.int32())])


def _places(row_numbers: npt.NDArray[np.int64], rows: int) -> pa.Array:
    """Return for each of ``rows`` row numbers its index in ``row_numbers``, or null."""
    places = np.full(rows, -1, dtype=np.int64)
    places[row_numbers] = np.arange(len(row_numbers))
    return pa.array(places, mask=places < 0)


def _outcomes(refused: pa.Array, error: pa.Array) -> pa.Array:
    """Return per row ``refused`` (by the contract), ``crashed``, ``failed`` or ``scored``."""
    return pc.case_when(
        pc.make_struct(
            pc.is_valid(refused),
            pc.fill_null(pc.starts_with(error, _CRASHED), False),
            pc.is_valid(error),
        ),
        "refused",
        "crashed",
        "failed",
        "scored",
    )


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=schema)


def _now() -> int:
    """Return microseconds since 1970."""
    return time.time_ns() // 1000
