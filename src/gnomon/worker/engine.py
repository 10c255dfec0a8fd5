"""The one engine: decode by contract, preprocess, predict. Live, shadow and replay all run it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.artifact import LoadedArtifact, step_outputs
from gnomon.contract.frames import to_input
from gnomon.errors import ContractError
from gnomon.pipeline import outputs
from gnomon.pipeline.failing_step import failing_step
from gnomon.pipeline.intervening import fixed_draws, forced
from gnomon.worker.failure_attribution import blamed
from gnomon.worker.memory_limit import ran_out
from gnomon.worker.messages import ERROR, failed, scored_schema

__all__ = ["Engine"]

MAX_FAILED_CALLS = 64
"""Failing calls spent on finding the bad rows of one batch, beyond two for each call that goes
well. When a pipeline fails on every row, the rows left after this many share the last error instead
of costing a call each."""

SEARCH_SECONDS = 2.0
"""Seconds spent on it; a quarter of the deadline, where that is less, as the batch has to be
answered within it. For a request that is scored in parts, on all of them together."""


class _Search:
    """How much longer the bad rows of a batch are looked for."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._failures = MAX_FAILED_CALLS

    def went_well(self) -> None:
        """A part of the batch scored: the pipeline does not fail on everything."""
        self._failures += 2

    def failed(self) -> bool:
        """A part of the batch failed; whether to go on."""
        self._failures -= 1
        return self._failures > 0 and time.monotonic() < self._until


class Engine:
    """Runs one loaded artifact on batches of decoded rows.

    Args:
        loaded: the artifact.
        deadline: seconds that a batch may take.
        fast: whether to reach the answers with less work, where that gives the same bits.
    """

    def __init__(
        self, loaded: LoadedArtifact, deadline: float = math.inf, *, fast: bool = True
    ) -> None:
        self._search_seconds = min(SEARCH_SECONDS, deadline / 4)
        self._pipeline = loaded.pipeline
        self._predict = loaded.predictor(fast=fast)
        self._contract = loaded.artifact.contract
        self._schema = scored_schema(self._contract.output_schema)

    def score(self, batch: pa.RecordBatch, *, searched: float = 0.0) -> pa.RecordBatch:
        """Outputs of every row, with ``error`` set on the rows the pipeline raised on.

        Args:
            batch: decoded rows in the contract's input schema.
            searched: seconds spent before on finding the bad rows of the same request.

        Returns:
            As many rows, in the same order, in the schema of
            :func:`~gnomon.worker.messages.scored_schema`.

        Raises:
            MemoryError: there is none left. What leaked is not to be told from what the rows need,
                so no row is blamed: a fresh worker has to try them.
        """
        parts = list(self._parts(batch, _Search(self._search_seconds - searched)))
        return parts[0] if len(parts) == 1 else pa.concat_batches(parts)

    def trace(self, batch: pa.RecordBatch) -> pa.Table:
        """Every step's output for every row: one ``step/column`` column each.

        Raises:
            Exception: whatever the pipeline raises; tracing is for rows that score.
        """
        return step_outputs(self._pipeline, to_input(batch, self._contract))

    def experiment(self, table: pa.Table, *, fixed: bool = False) -> pa.Table:
        """Every step's output and every answer, with some steps' columns set by hand.

        Args:
            table: decoded rows with the columns of the contract's input schema, whatever they are
                called, and after them any step columns, as ``step/column``: their values take the
                place of what the step computes.
            fixed: begin every unseeded random draw at one seed.

        Raises:
            Exception: whatever the pipeline raises; experiments are for rows that score.
        """
        schema = self._contract.input_schema
        inputs = table.columns[: len(schema)]
        rows = pa.table(inputs, schema=schema).combine_chunks().to_batches()[0]
        frame = to_input(rows, self._contract)
        forced_columns = range(len(schema), table.num_columns)
        values = {table.field(at).name: table.column(at).to_pandas() for at in forced_columns}
        with ExitStack() as stack:
            if fixed:
                stack.enter_context(fixed_draws())
            if values:
                stack.enter_context(forced(self._pipeline, frame, values))
            steps = step_outputs(self._pipeline, frame)
            answers = outputs(self._pipeline, frame, self._contract)
        return pa.table(
            [*steps.columns, *answers.columns], names=[*steps.column_names, *answers.schema.names]
        )

    def _parts(self, batch: pa.RecordBatch, search: _Search) -> Iterator[pa.RecordBatch]:
        """Score a batch whole; where it raises, by halves down to the rows at fault."""
        try:
            scored = self._score(batch)
        except Exception as error:
            if ran_out(error):
                raise MemoryError from error
            if not search.failed() or batch.num_rows == 1:
                why = f"{type(error).__name__}: {error}"
                if batch.num_rows == 1:
                    why = self._why(batch, error)
                yield failed(self._schema, batch.num_rows, why)
                return
            half = batch.num_rows // 2
            yield from self._parts(batch.slice(0, half), search)
            yield from self._parts(batch.slice(half), search)
        else:
            search.went_well()
            yield self._with_blame(batch, scored)

    def _why(self, row: pa.RecordBatch, error: Exception) -> str:
        """What to say of a row on which the pipeline raised: the value to blame, or the step."""
        if isinstance(error, ContractError):  # it fits no frame, so the pipeline was not asked
            return str(error)
        step = failing_step(self._pipeline, to_input(row, self._contract))
        place = "the pipeline" if step is None else str(step)
        told = blamed(row, self._contract, self._scores, place)
        if told is not None:
            return told
        kind = type(error).__name__
        return f"{kind}: {error}" if step is None else f"{kind} in {step}: {error}"

    def _score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        frame = to_input(batch, self._contract)
        answer = self._predict(frame)
        if answer.num_rows != batch.num_rows:
            raise ValueError(
                f"expected {batch.num_rows} predictions, got {answer.num_rows}: "
                "the pipeline drops or adds rows"
            )
        errors = pa.nulls(answer.num_rows, pa.string())
        if not all(_is_finite(column) for column in answer.columns):
            answer, errors = self._without_unanswerable(answer)
        return pa.RecordBatch.from_arrays([*answer.columns, errors], schema=self._schema)

    def _with_blame(self, batch: pa.RecordBatch, scored: pa.RecordBatch) -> pa.RecordBatch:
        """The same, told which values are to blame where the answer was no number."""
        errors = scored.column(ERROR)
        if errors.null_count == len(errors):
            return scored
        told = [
            error and (blamed(batch.slice(row, 1), self._contract, self._scores) or error)
            for row, error in enumerate(errors.to_pylist())
        ]
        return pa.RecordBatch.from_arrays(
            [*scored.columns[:-1], pa.array(told, pa.string())], schema=self._schema
        )

    def _scores(self, batch: pa.RecordBatch) -> bool:
        """Whether every row scores."""
        try:
            return not any(self._score(batch).column(ERROR).is_valid().to_pylist())
        except Exception as error:
            if ran_out(error):
                raise MemoryError from error
            return False

    def _without_unanswerable(self, answer: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
        """The answers, and an error for each row in which a number is NaN or infinite."""
        errors: list[str | None] = [None] * answer.num_rows
        for name, column in zip(answer.schema.names, answer.columns, strict=True):
            if pa.types.is_floating(column.type):
                for row, value in enumerate(column.to_pylist()):
                    if value is None or not math.isfinite(value):
                        errors[row] = errors[row] or f"the pipeline answered {value} as `{name}`"
        good = pa.array([error is None for error in errors])
        columns = [pc.if_else(good, column, None) for column in answer.columns]
        return pa.RecordBatch.from_arrays(columns, schema=answer.schema), pa.array(
            errors, pa.string()
        )


def _is_finite(column: pa.Array) -> bool:
    """Whether no number of a column is missing, NaN or infinite; true for other columns."""
    if not pa.types.is_floating(column.type):
        return True
    return bool(np.isfinite(column.to_numpy(zero_copy_only=False)).all())
