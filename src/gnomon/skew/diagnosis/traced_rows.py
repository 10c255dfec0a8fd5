"""Sampled rows of both sides, traced through the pipeline column by column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.artifact import Artifact
from gnomon.compare.comparators import Compared, compare
from gnomon.contract import Contract
from gnomon.offline.logged import Range
from gnomon.offline.paired_rows import Pairs, RowSample, with_columns
from gnomon.offline.rerun import Rerun, step_columns
from gnomon.policy import Policy, Rules
from gnomon.skew.consistency.reported_columns import Kind
from gnomon.skew.diagnosis.other_environment import OtherEnvironment
from gnomon.worker.messages import ERROR

__all__ = ["Sampled", "TracedRows", "sampled", "trace_sample", "trace_scored"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sampled:
    """A sample of the compared rows.

    Attributes:
        diverged: which of them diverge.
        weights: how many of the compared rows each stands for.
    """

    pairs: Pairs
    diverged: Mask
    weights: Floats

    def take(self, places: npt.NDArray[np.int64]) -> Sampled:
        """Return some of the rows."""
        return Sampled(self.pairs.take(places), self.diverged[places], self.weights[places])


def sampled(diverging: RowSample, agreeing: RowSample) -> Sampled:
    """Join two samples into one; at least one of them has a row."""
    samples = [
        (s.pairs(), s.seen, is_diverging)
        for s, is_diverging in ((diverging, True), (agreeing, False))
    ]
    parts = [
        (pairs, seen, is_diverging) for pairs, seen, is_diverging in samples if pairs is not None
    ]
    rows = Sampled(
        Pairs.concat([pairs for pairs, _, _ in parts]),
        np.concatenate([np.full(pairs.num_rows, is_diverging) for pairs, _, is_diverging in parts]),
        np.concatenate([np.full(p.num_rows, seen / p.num_rows) for p, seen, _ in parts]),
    )
    # Rows of one request are put next to each other, so that its body is read once.
    keys = [("request_id", "ascending"), ("row", "ascending")]
    return rows.take(pc.sort_indices(rows.pairs.about, keys).to_numpy())


@dataclass(frozen=True, slots=True)
class TracedRows:
    """Sampled rows that could be run again, column by column.

    Attributes:
        contract: the artifact's contract, with features named as in the rows.
        sample: the rows.
        inputs: the rows as decoded from their bodies.
        kinds: the columns both sides have, in pipeline order: features, step columns, outputs.
        left: those columns on the left.
        right: those columns on the right.
        rules: the rules of these columns.
        compared: the result of the comparison, row by row.
        reproduced: rows whose logged outputs were reproduced, bit for bit.
        lost: rows of the sample that could not be run again.
    """

    contract: Contract
    sample: Sampled
    inputs: pa.RecordBatch
    kinds: Mapping[str, Kind]
    left: pa.Table
    right: pa.Table
    rules: Rules
    compared: Compared
    reproduced: Mask
    lost: int

    def differs(self, name: str) -> Mask:
        """Return the mask of rows on which a column is out of tolerance."""
        return ~self.compared.columns[name].agree

    def of_kind(self, kind: Kind) -> list[str]:
        """Return the columns of one kind, in order."""
        return [name for name, column_kind in self.kinds.items() if column_kind == kind]


def trace_sample(
    sample: Sampled,
    source: Range,
    rerun: Rerun,
    policy: Policy,
    *,
    other_environment: OtherEnvironment | None = None,
) -> TracedRows | None:
    """Run sampled rows again and compare every column of the right side; None if no row is left.

    Args:
        sample: rows with, on the right, any outputs, features and step columns.
        source: where the rows are logged.
        rerun: the artifact that answered them.
        policy: the tolerances.
        other_environment: where the right side was run, if its steps are to be compared too.
    """
    decoded = source.decode(sample.pairs.about, source.decoder())
    scored = rerun.score(decoded.batch)
    scorable = np.flatnonzero(scored.column(ERROR).is_null())
    if not len(scorable):
        return None
    lost = sample.pairs.num_rows - len(scorable)
    sample = sample.take(decoded.places[scorable])
    inputs, scored = decoded.batch.take(pa.array(scorable)), scored.take(pa.array(scorable))
    if other_environment is not None:
        sample = replace(sample, pairs=_with_steps(sample.pairs, other_environment, source, inputs))
    return trace_scored(
        sample, source.artifact, rerun, policy, inputs, scored, lost, contract=source.contract
    )


def _with_steps(
    pairs: Pairs, other_environment: OtherEnvironment, source: Range, inputs: pa.RecordBatch
) -> Pairs:
    steps = other_environment.rerun.trace(inputs, step_columns(source.artifact))
    return replace(pairs, right=with_columns(pairs.right, steps))


def trace_scored(
    sample: Sampled,
    artifact: Artifact,
    rerun: Rerun,
    policy: Policy,
    inputs: pa.RecordBatch,
    scored: pa.RecordBatch,
    lost: int = 0,
    *,
    contract: Contract | None = None,
) -> TracedRows:
    """Compare every column that both sides of some rows have.

    Args:
        artifact: the artifact whose answers are on the left.
        inputs: the rows as decoded.
        scored: their answers when run again.
        lost: how many rows could not be run again.
        contract: the artifact's contract, with features named as in the rows; unchanged by default.
    """
    contract = contract or artifact.contract
    right = sample.pairs.right
    kinds: dict[str, Kind] = {}
    kinds |= {f.name: "feature" for f in contract.features if f.name in right.column_names}
    steps = [name for name in step_columns(artifact) if name in right.column_names]
    kinds |= dict.fromkeys(steps, "step")
    kinds |= {o.name: "output" for o in contract.outputs if o.name in right.column_names}
    left = sample.pairs.left.select([*contract.input_schema.names, *contract.output_schema.names])
    if steps:
        left = with_columns(left, rerun.trace(inputs, steps))
    left, right = left.select(list(kinds)), right.select(list(kinds))
    rules = policy.rules(left.schema, outputs=contract.compared_as, same=True)
    return TracedRows(
        contract=contract,
        sample=sample,
        inputs=inputs,
        kinds={name: kind for name, kind in kinds.items() if name in rules.comparators},
        left=left,
        right=right,
        rules=rules,
        compared=compare(left, right, rules),
        reproduced=_identical(scored, sample.pairs.left, [o.name for o in contract.outputs]),
        lost=lost,
    )


def _identical(replayed: pa.RecordBatch, logged: pa.Table, names: list[str]) -> Mask:
    """Return the mask of rows with all columns bit-identical; two nulls are identical."""
    same = np.ones(replayed.num_rows, dtype=bool)
    for name in names:
        left, right = replayed.column(name), logged.column(name)
        equal = pc.fill_null(pc.equal(left, right), False).to_numpy(zero_copy_only=False)
        nulls = pc.and_(pc.is_null(left, nan_is_null=True), pc.is_null(right, nan_is_null=True))
        same &= equal | nulls.to_numpy(zero_copy_only=False)
    return same
