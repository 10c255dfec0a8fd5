"""Run logged rows again, through the same worker code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.artifact import Artifact
from gnomon.offline.column_names import joint_contract
from gnomon.policy import Policy
from gnomon.settings import Settings
from gnomon.worker import WorkerClient
from gnomon.worker.messages import ERROR, scored_schema

__all__ = ["LazyRerun", "Rerun", "refuse_unknown_names", "step_columns"]


def step_columns(artifact: Artifact) -> list[str]:
    """Return all step columns, as ``step/column``, in the order the pipeline computes them."""
    profile = artifact.profile()
    steps = profile.filter(pc.equal(profile.column("kind"), "step"))
    names: list[str] = steps.column("name").to_pylist()
    return names


def refuse_unknown_names(policy: Policy, artifact: Artifact) -> None:
    """Check that every name in a policy is an output, a feature or a step column of an artifact.

    Raises:
        PolicyError: a name is not in the artifact; the message lists the names that are.
    """
    steps = step_columns(artifact)
    features = [feature.name for feature in joint_contract(artifact.contract, steps).features]
    others = [*features, *steps]
    policy.check_names(artifact.tag, artifact.contract.output_schema, others)


class Rerun:
    """Runs an artifact's code in a worker, on any number of rows."""

    def __init__(self, client: WorkerClient, artifact: Artifact, settings: Settings) -> None:
        self._client = client
        self._schema = scored_schema(artifact.contract.output_schema)
        self._rows = settings.batch_rows

    def score(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Compute the outputs and ``error`` of decoded rows."""
        parts = [self._client.score(part) for part in self._parts(rows)]
        return pa.concat_batches(parts) if parts else pa.RecordBatch.from_pylist([], self._schema)

    def good(self, rows: pa.RecordBatch) -> npt.NDArray[np.int64]:
        """Return which decoded rows can be scored, and so can be traced."""
        return np.flatnonzero(self.score(rows).column(ERROR).is_null())

    def trace(self, rows: pa.RecordBatch, columns: Sequence[str]) -> pa.Table:
        """Compute step columns of decoded rows that can be scored.

        Raises:
            PredictionFailed: a step raised.
        """
        parts = [self._trace(part, columns) for part in self._parts(rows)]
        if not parts:
            return pa.table({name: pa.nulls(0, pa.float64()) for name in columns})
        return pa.concat_tables(parts, promote_options="permissive").combine_chunks()

    def alone(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Compute the outputs and ``error`` of decoded rows, each in a separate batch."""
        return self.in_batches(rows, 1)

    def in_batches(self, rows: pa.RecordBatch, size: int) -> pa.RecordBatch:
        """Compute the outputs and ``error`` of decoded rows, ``size`` rows in a batch."""
        parts = [
            self._client.score(rows.slice(start, size)) for start in range(0, rows.num_rows, size)
        ]
        return pa.concat_batches(parts) if parts else self.score(rows)

    def experiment(
        self,
        rows: pa.RecordBatch,
        columns: Sequence[str],
        *,
        forced: Mapping[str, pa.Array] | None = None,
        fixed: bool = False,
    ) -> pa.Table:
        """Compute step columns and outputs of decoded rows, with some step columns replaced.

        Args:
            rows: decoded rows that can be scored.
            columns: the step columns and outputs to return.
            forced: step columns to replace, each with a value per row.
            fixed: start every unseeded random generator with the same seed.

        Raises:
            PredictionFailed: a step raised.
        """
        table = pa.Table.from_batches([rows])
        for name, values in (forced or {}).items():
            table = table.append_column(name, values)
        parts = [
            _select(self._client.experiment(table.slice(start, self._rows), fixed=fixed), columns)
            for start in range(0, rows.num_rows, self._rows)
        ]
        return pa.concat_tables(parts, promote_options="permissive").combine_chunks()

    def _trace(self, rows: pa.RecordBatch, columns: Sequence[str]) -> pa.Table:
        return _select(self._client.trace(rows), columns)

    def _parts(self, rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        for start in range(0, rows.num_rows, self._rows):
            yield rows.slice(start, self._rows)


class LazyRerun:
    """The :class:`Rerun` of an artifact, whose worker is started at the first call.

    Args:
        stack: ends the worker.
        artifact: the artifact to run.
        settings: settings of the worker.
    """

    def __init__(self, stack: ExitStack, artifact: Artifact, settings: Settings) -> None:
        self._stack, self._artifact, self._settings = stack, artifact, settings
        self._rerun: Rerun | None = None

    def __call__(self) -> Rerun:
        if self._rerun is None:
            client = self._stack.enter_context(WorkerClient(self._artifact, self._settings))
            self._rerun = Rerun(client, self._artifact, self._settings)
        return self._rerun


def _select(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Select columns; a sparse step omits those that are zero in every row of a batch."""
    zero = pa.repeat(0.0, table.num_rows)
    return pa.table(
        {
            n: _without_categories(table.column(n)) if n in table.column_names else zero
            for n in columns
        }
    )


def _without_categories(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert categories to their values, and a column of only nulls to floats."""
    if pa.types.is_dictionary(column.type):
        return pc.cast(column, column.type.value_type)
    return column.cast(pa.float64()) if pa.types.is_null(column.type) else column
