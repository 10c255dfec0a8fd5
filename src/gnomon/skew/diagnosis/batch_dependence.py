"""Run the same rows in other batches: alone, in batches, in another order, and a second time.

The first rungs of the replay ladder do not need the other side. If the artifact's own answers
differ between these rungs, the cause is in its code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.compare.comparators import compare
from gnomon.errors import PredictionFailed
from gnomon.offline.rerun import Rerun
from gnomon.policy import Comparator, Rules
from gnomon.quantities import rows as counted
from gnomon.report import Rung
from gnomon.skew.consistency.reported_columns import only
from gnomon.skew.diagnosis.case import CONFIRMED, Mask
from gnomon.tolerances import ROUNDING, ROUNDING_NEAR_ZERO, close

__all__ = ["BatchDependence", "probe_batch_dependence"]

Places = npt.NDArray[np.int64]

PROBED = 96
"""How many diverging rows, and a third as many agreeing rows, are run one by one. Each is a call
that takes some milliseconds."""

_SMALL = 7
"""The size of a batch that is neither one row nor all rows."""


@dataclass(frozen=True, slots=True)
class BatchDependence:
    """The result of the first rungs of the ladder.

    Attributes:
        cause: ``nondeterminism``, ``single-row dtype inference``, ``batch-dependent transform``; or
            None where a row's answer does not depend on its batch.
        place: the first step column that differs between two rungs; None if it is not known.
        sentence: the finding, without its subject.
        action: what to do about it.
        varied: rows that were tried and differ between two rungs.
        tried: rows that were tried.
        undone: of ``varied``, rows that agree once the cause is undone.
        rungs: each rung, with how many rows equal the logged and the offline answers.
    """

    cause: str | None
    place: str | None
    sentence: str
    action: str
    varied: int
    tried: int
    undone: int
    rungs: tuple[Rung, ...]

    @property
    def evidence(self) -> str:
        """How the cause was undone, and how many rows then agree."""
        how = {
            "nondeterminism": "With every unseeded draw fixed",
            "single-row dtype inference": "With another row in the batch that fixes the type",
        }.get(self.cause or "", "With the same batch composition")
        return f"{how}, {self.undone:,} of the {counted(self.varied)} that vary agree."


def probe_batch_dependence(
    inputs: pa.RecordBatch,
    left: pa.Table,
    right: pa.Table,
    diverged: Mask,
    rules: Rules,
    columns: list[str],
    rerun: Rerun,
) -> BatchDependence:
    """Run the rungs R0 to R2 on a few dozen rows.

    Args:
        inputs: decoded rows that can be scored.
        left: the logged rows.
        right: the other side, with the outputs it has.
        diverged: the diverging rows, of which most of the probed rows are taken.
        rules: the rules of the outputs that both sides have.
        columns: step columns.
        rerun: the artifact.
    """
    places = _probe(diverged)
    indices = pa.array(places)
    return _LadderRun(
        inputs.take(indices), left.take(indices), right.take(indices), rules, columns, rerun
    ).run()


@dataclass(slots=True)
class _LadderRun:
    inputs: pa.RecordBatch
    left: pa.Table
    right: pa.Table
    rules: Rules
    columns: list[str]
    rerun: Rerun

    def run(self) -> BatchDependence:
        alone = self.rerun.alone(self.inputs)
        batch = self.rerun.score(self.inputs)
        again = self.rerun.score(self.inputs)
        order = np.random.default_rng(0).permutation(self.inputs.num_rows)
        mixed = self.rerun.in_batches(self.inputs.take(pa.array(order)), _SMALL)
        other = mixed.take(pa.array(np.argsort(order)))
        rungs = tuple(
            self._rung(name, what, answers)
            for name, what, answers in (
                ("R0", "one row at a time", alone),
                ("R1", "all in one batch", batch),
                ("R1", "all in one batch, again", again),
                ("R2", f"in batches of {_SMALL}, in another order", other),
            )
        )
        if (~self._same(batch, again)).any():
            return self._nondeterminism(~self._same(batch, again), rungs)
        varied = ~self._same(alone, batch) | ~self._same(other, batch)
        if not varied.any():
            return BatchDependence(None, None, "", "", 0, self.inputs.num_rows, 0, rungs)
        by_type = self._by_dtype(alone, batch)
        if by_type is not None:
            return self._dtype_dependence(varied, by_type, batch, rungs)
        place = self._first(lambda: self._alone_steps(varied))
        return BatchDependence(
            "batch-dependent transform",
            place,
            f"depends on the other rows of the batch: {counted(int(varied.sum()))} of "
            f"{len(varied)} differ when run alone, in batches of {_SMALL} or all together",
            "Learn from the training data in `fit`, and use only that in `transform`.",
            int(varied.sum()),
            len(varied),
            int((varied & self._same(batch, again)).sum()),
            rungs,
        )

    def _rung(self, name: str, what: str, answers: pa.RecordBatch) -> Rung:
        known = [name for name in self.rules.comparators if name in self.left.column_names]
        logged = compare(answers, self.left, only(self.rules, known)).agreed if known else None
        return Rung(
            name=name,
            what=what,
            rows=answers.num_rows,
            as_left=int(logged.sum()) if logged is not None else 0,
            as_right=int(self._agrees_with_right(answers).sum()),
        )

    def _agrees_with_right(self, answers: pa.RecordBatch) -> Mask:
        return compare(answers, self.right, self.rules).agreed

    def _same(self, left: pa.RecordBatch, right: pa.RecordBatch) -> Mask:
        """Compare answers, allowing at least the noise that the order of additions causes."""
        return compare(left, right, _up_to_noise(self.rules)).agreed

    def _nondeterminism(self, varied: Mask, rungs: tuple[Rung, ...]) -> BatchDependence:
        """Diagnose a batch whose answers change when it is run again, and try with fixed seeds."""
        outputs = list(self.rules.comparators)
        try:
            first, second = (
                self.rerun.experiment(self.inputs, outputs, fixed=True) for _ in range(2)
            )
            restored = int((varied & compare(first, second, self.rules).agreed).sum())
        except PredictionFailed:
            restored = 0
        place = self._first(
            lambda: (
                self.rerun.trace(self.inputs, self.columns),
                self.rerun.trace(self.inputs, self.columns),
            )
        )
        return BatchDependence(
            "nondeterminism",
            place,
            f"is not deterministic: {counted(int(varied.sum()))} of {len(varied)} when "
            "the same batch is run again",
            "Give every generator a fixed seed, and draw nothing in `transform` or `predict`.",
            int(varied.sum()),
            len(varied),
            restored,
            rungs,
        )

    def _rows_that_differ_alone(self, alone: pa.RecordBatch, batch: pa.RecordBatch) -> Mask:
        """Find rows that differ when run alone, in their answer or in a step that it may hide."""
        odd = ~self._same(alone, batch)
        try:
            alone_steps, batch_steps = self._alone_steps(np.ones(len(odd), dtype=bool))
        except PredictionFailed:
            return odd
        for name in self.columns:
            odd |= ~_equal(alone_steps.column(name), batch_steps.column(name))
        return odd

    def _by_dtype(
        self, alone: pa.RecordBatch, batch: pa.RecordBatch
    ) -> tuple[str, str, Mask] | None:
        """Find the feature whose values are special in exactly the rows that differ alone."""
        odd = self._rows_that_differ_alone(alone, batch)
        if not odd.any() or odd.all():
            return None
        for name, column in zip(self.inputs.schema.names, self.inputs.columns, strict=True):
            for what, rows in _peculiar(column):
                inside = odd[rows].mean() if rows.any() else 0.0
                if rows[odd].mean() >= CONFIRMED and inside >= 0.2 and not rows.all():
                    return name, what, rows
        return None

    def _dtype_dependence(
        self,
        varied: Mask,
        special: tuple[str, str, Mask],
        batch: pa.RecordBatch,
        rungs: tuple[Rung, ...],
    ) -> BatchDependence:
        """Run each row with one whose value fixes the type: it must then equal the batch answer."""
        name, what, rows = special
        positions, companion = np.flatnonzero(varied & rows), int(np.flatnonzero(~rows)[0])
        restored = 0
        for place in positions.tolist():
            pair = self.rerun.score(self.inputs.take(pa.array([place, companion])))
            expected = batch.slice(place, 1)
            restored += int(compare(pair.slice(0, 1), expected, self.rules).agreed[0])
        return BatchDependence(
            "single-row dtype inference",
            self._first(lambda: self._alone_steps(varied)),
            f"takes its type from the other rows of the batch: a row whose `{name}` is {what} "
            "gives another result alone than in a batch with a row where it is not",
            f"State the type of `{name}` in the contract and in the code: `astype` in the step, "
            "never `infer_objects` or `convert_dtypes` on the inputs.",
            len(positions),
            len(varied),
            restored,
            rungs,
        )

    def _alone_steps(self, varied: Mask) -> tuple[pa.Table, pa.Table]:
        rows = self.inputs.filter(pa.array(varied))
        parts = [self.rerun.trace(rows.slice(i, 1), self.columns) for i in range(rows.num_rows)]
        alone = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
        batch = self.rerun.trace(self.inputs, self.columns).filter(pa.array(varied))
        return alone, batch

    def _first(self, traces: Callable[[], tuple[pa.Table, pa.Table]]) -> str | None:
        """Return the first step column that differs between two traces."""
        try:
            first, second = traces()
        except PredictionFailed:
            return None
        return next(
            (
                name
                for name in self.columns
                if not _equal(first.column(name), second.column(name)).all()
            ),
            None,
        )


def _probe(diverged: Mask) -> Places:
    groups = [np.flatnonzero(diverged), np.flatnonzero(~diverged)]
    parts = [
        rows[:: max(len(rows) // most, 1)][:most]
        for rows, most in zip(groups, (PROBED, PROBED // 3), strict=True)
    ]
    return np.sort(np.concatenate(parts))


def _peculiar(column: pa.Array) -> list[tuple[str, Mask]]:
    """List values that can change the type of a one-row column: null, or a whole number."""
    null: Mask = pc.is_null(column).to_numpy(zero_copy_only=False)
    special = [("null", null)]
    if pa.types.is_floating(column.type):
        values = column.to_numpy(zero_copy_only=False)
        special.append(("a whole number", ~null & (values % 1 == 0)))
    return special


def _up_to_noise(rules: Rules) -> Rules:
    return Rules(
        comparators={
            name: rule
            if rule.kind == "label"
            else Comparator(
                kind=rule.kind,
                absolute=max(rule.absolute, ROUNDING_NEAR_ZERO),
                relative=max(rule.relative, ROUNDING),
                ulps=rule.ulps,
            )
            for name, rule in rules.comparators.items()
        }
    )


def _equal(first: Any, second: Any) -> Mask:
    left, right = first.to_pandas(), second.to_pandas()
    if left.dtype.kind == "f" and right.dtype.kind in "fiu":
        left_numbers, right_numbers = left.to_numpy(np.float64), right.to_numpy(np.float64)
        both_nan: Mask = np.isnan(left_numbers) & np.isnan(right_numbers)
        return both_nan | close(left_numbers, right_numbers, absolute=ROUNDING_NEAR_ZERO)
    same: Mask = ((left == right) | (left.isna() & right.isna())).to_numpy(dtype=bool)
    return same
