"""The one engine: decode by contract, preprocess, predict. Live, shadow and replay all run it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pyarrow as pa

from gnomon.models import LoadedArtifact, outputs, step_outputs
from gnomon.preprocessing import to_frame
from gnomon.preprocessing.intervening import fixed_draws, forced
from gnomon.worker.frames import failed, scored_schema
from gnomon.worker.limits import ran_out

__all__ = ["Engine"]

MAX_FAILED_CALLS = 64
"""Failing calls spent on finding the bad rows of one batch, beyond two for each call that goes
well. When a pipeline fails on every row, the rows left after this many share the last error instead
of costing a call each."""

SEARCH_SECONDS = 2.0
"""Seconds spent on it; a quarter of the deadline, where that is less, as the batch has to be
answered within it."""


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
    """

    def __init__(self, loaded: LoadedArtifact, deadline: float = math.inf) -> None:
        self._search_seconds = min(SEARCH_SECONDS, deadline / 4)
        self._pipeline = loaded.pipeline
        self._predict = loaded.predictor()
        self._contract = loaded.artifact.contract
        self._schema = scored_schema(self._contract.output_schema)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Outputs of every row, with ``error`` set on the rows the pipeline raised on.

        Args:
            batch: decoded rows in the contract's input schema.

        Returns:
            As many rows, in the same order, in the schema of
            :func:`~gnomon.worker.frames.scored_schema`.

        Raises:
            MemoryError: there is none left. What leaked is not to be told from what the rows need,
                so no row is blamed: a fresh worker has to try them.
        """
        parts = list(self._parts(batch, _Search(self._search_seconds)))
        return parts[0] if len(parts) == 1 else pa.concat_batches(parts)

    def trace(self, batch: pa.RecordBatch) -> pa.Table:
        """Every step's output for every row: one ``step/column`` column each.

        Raises:
            Exception: whatever the pipeline raises; tracing is for rows that score.
        """
        return step_outputs(self._pipeline, to_frame(batch, self._contract))

    def experiment(self, table: pa.Table, *, fixed: bool = False) -> pa.Table:
        """Every step's output and every answer, with some steps' columns set by hand.

        Args:
            table: decoded rows in the contract's input schema, and after it any step columns, as
                ``step/column``: their values take the place of what the step computes.
            fixed: begin every unseeded random draw at one seed.

        Raises:
            Exception: whatever the pipeline raises; experiments are for rows that score.
        """
        names = self._contract.input_schema.names
        rows = table.select(names).combine_chunks().to_batches()[0]
        frame = to_frame(rows, self._contract)
        values = {
            name: table.column(name).to_pandas() for name in table.column_names if name not in names
        }
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
                yield failed(self._schema, batch.num_rows, f"{type(error).__name__}: {error}")
                return
            half = batch.num_rows // 2
            yield from self._parts(batch.slice(0, half), search)
            yield from self._parts(batch.slice(half), search)
        else:
            search.went_well()
            yield scored

    def _score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        frame = to_frame(batch, self._contract)
        answer = self._predict(frame)
        if answer.num_rows != batch.num_rows:
            raise ValueError(
                f"expected {batch.num_rows} predictions, got {answer.num_rows}: "
                "the pipeline drops or adds rows"
            )
        return pa.RecordBatch.from_arrays(
            [*answer.columns, pa.nulls(answer.num_rows, pa.string())], schema=self._schema
        )
