"""The scoring engine, which runs preprocessing and model for live, shadow and replay alike."""

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
from gnomon.pipeline.error_text import error_kind, error_text
from gnomon.pipeline.failing_step import failing_step
from gnomon.pipeline.intervening import fixed_draws, forced
from gnomon.worker.failure_attribution import blamed
from gnomon.worker.memory_limit import ran_out
from gnomon.worker.messages import ERROR, failed, scored_schema

__all__ = ["Engine"]

MAX_FAILED_CALLS = 64
"""Failing calls allowed in the search for the bad rows of one batch; each call that succeeds allows
two more. When a pipeline fails on every row, the rows left after this many calls share the last
error instead of costing a call each; it says that they share it."""

SHARED = " (raised with other rows: the search for those at fault ended before this one was tried)"

SEARCH_SECONDS = 5.0
"""Seconds allowed for this search, or a quarter of the deadline if that is less, as the batch has
to be answered within the deadline. For a request scored in parts, the limit covers all parts."""


class _Search:
    """The time and the failing calls left for finding the bad rows of a batch."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._failures = MAX_FAILED_CALLS

    def went_well(self) -> None:
        """Allow more failures once a part of the batch scored: not every row fails."""
        self._failures += 2

    def failed(self) -> bool:
        """Count a part of the batch that failed, and return whether to continue the search."""
        self._failures -= 1
        return self._failures > 0 and time.monotonic() < self._until


class Engine:
    """Runs one loaded artifact on batches of decoded rows.

    Args:
        loaded: the artifact.
        deadline: seconds that a batch may take.
        fast: whether to use the fast path, where its answers are the same bit for bit.
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
        """Return the outputs of every row, with ``error`` set on rows on which the pipeline raised.

        Args:
            batch: decoded rows in the contract's input schema.
            searched: seconds already spent on finding the bad rows of the same request.

        Returns:
            The same number of rows, in the same order, in the schema of
            :func:`~gnomon.worker.messages.scored_schema`.

        Raises:
            MemoryError: no memory is left. Leaked memory cannot be distinguished from memory that
                the rows need, so no row is blamed: a new worker has to try them.
        """
        parts = list(self._parts(batch, _Search(self._search_seconds - searched)))
        return parts[0] if len(parts) == 1 else pa.concat_batches(parts)

    def trace(self, batch: pa.RecordBatch) -> pa.Table:
        """Return every step's output for every row, one ``step/column`` column each.

        Raises:
            Exception: whatever the pipeline raises; tracing is for rows that score.
        """
        return step_outputs(self._pipeline, to_input(batch, self._contract))

    def experiment(self, table: pa.Table, *, fixed: bool = False) -> pa.Table:
        """Return every step's output and every answer, with some steps' columns set by the caller.

        Args:
            table: decoded rows: first the columns of the contract's input schema, under any names,
                then any step columns, named ``step/column``, whose values replace those that the
                step computes.
            fixed: use one fixed seed for every random generator that has none.

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
        """Score a batch; if it raises, score its halves, down to the rows at fault."""
        try:
            scored = self._score(batch)
        except Exception as error:
            if ran_out(error):
                raise MemoryError from error
            if not search.failed() or batch.num_rows == 1:
                if batch.num_rows == 1:
                    message = self._row_message(batch, error)
                else:
                    message = f"{error_kind(error)}: {error_text(error)}{SHARED}"
                yield failed(self._schema, batch.num_rows, message)
                return
            half = batch.num_rows // 2
            yield from self._parts(batch.slice(0, half), search)
            yield from self._parts(batch.slice(half), search)
        else:
            search.went_well()
            yield self._with_blame(batch, scored)

    def _row_message(self, row: pa.RecordBatch, error: Exception) -> str:
        """Return the error of a row on which the pipeline raised, naming the value or step."""
        if isinstance(error, ContractError):  # no frame holds the row, so the pipeline did not run
            return error_text(error)
        step = failing_step(self._pipeline, to_input(row, self._contract))
        place = "the pipeline" if step is None else str(step)
        blame = blamed(row, self._contract, self._scores, place)
        if blame is not None:
            return blame
        kind, text = error_kind(error), error_text(error)
        return f"{kind}: {text}" if step is None else f"{kind} in {step}: {text}"

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
            answer, errors = self._without_non_finite(answer)
        return pa.RecordBatch.from_arrays([*answer.columns, errors], schema=self._schema)

    def _with_blame(self, batch: pa.RecordBatch, scored: pa.RecordBatch) -> pa.RecordBatch:
        """Return a scored batch whose errors name the values at fault, if any are."""
        errors = scored.column(ERROR)
        if errors.null_count == len(errors):
            return scored
        named_errors = [
            error and (blamed(batch.slice(row, 1), self._contract, self._scores) or error)
            for row, error in enumerate(errors.to_pylist())
        ]
        return pa.RecordBatch.from_arrays(
            [*scored.columns[:-1], pa.array(named_errors, pa.string())], schema=self._schema
        )

    def _scores(self, batch: pa.RecordBatch) -> bool:
        """Return whether every row scores."""
        try:
            return not any(self._score(batch).column(ERROR).is_valid().to_pylist())
        except Exception as error:
            if ran_out(error):
                raise MemoryError from error
            return False

    def _without_non_finite(self, answer: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
        """Return the answers, and an error for each row with a missing, NaN or infinite number."""
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
    """Return whether all numbers of a column are finite; true for columns of other types."""
    if not pa.types.is_floating(column.type):
        return True
    return bool(np.isfinite(column.to_numpy(zero_copy_only=False)).all())
