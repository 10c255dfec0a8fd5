"""Find where the two sides differ by themselves, and not because an earlier column differs.

Features first: those that differ are set to the other side's values. Then the steps, in order: the
first step that still differs does so by itself; its columns are set to the other side's values, and
the rest of the pipeline is run from there. A difference that remains at the end is the model's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.compare.comparators import compare
from gnomon.errors import PredictionFailed
from gnomon.offline.rerun import Rerun
from gnomon.policy import Comparator, Rules
from gnomon.quantities import count, rows
from gnomon.skew.consistency.reported_columns import only
from gnomon.skew.diagnosis.case import Case, Mask, RowContext
from gnomon.skew.diagnosis.replaced_inputs import numbers, with_feature, with_hours, without_lists
from gnomon.skew.diagnosis.traced_rows import TracedRows

__all__ = ["RepairRunner", "Repairs", "Root"]

Floats = npt.NDArray[np.float64]

_MOST_STEPS = 12
_MOST_COLUMNS = 40
_MOST_TRIED = 12


@dataclass(frozen=True, slots=True)
class Repairs:
    """The columns that are set to the other side's values.

    Attributes:
        features: names of features.
        steps: names of step columns.
    """

    features: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()

    def __or__(self, other: Repairs) -> Repairs:
        return Repairs(self.features | other.features, self.steps | other.steps)

    def __sub__(self, other: Repairs) -> Repairs:
        return Repairs(self.features - other.features, self.steps - other.steps)


@dataclass(frozen=True, slots=True)
class Root:
    """Columns of one place that differ by themselves.

    Attributes:
        place: the step; empty for the features.
        cases: the columns.
    """

    place: str
    cases: list[Case]


@dataclass(slots=True)
class RepairRunner:
    """Runs the artifact with some columns repaired."""

    traced: TracedRows
    rerun: Rerun
    context: RowContext
    names: tuple[str, str]
    cleared: list[str] = field(default_factory=list)

    @property
    def outputs(self) -> Rules:
        """The rules of the outputs that both sides have."""
        return only(self.traced.rules, self.traced.of_kind("output"))

    def roots(self) -> tuple[list[Root], Repairs]:
        """Find every place that differs by itself, in order, and the repair of all of them."""
        roots: list[Root] = []
        inputs = self._trusted(self._features())
        repairs = Repairs()
        if inputs:
            roots.append(Root("", inputs))
            repairs |= Repairs(features=frozenset(case.column for case in inputs))
        steps = self.traced.of_kind("step")
        for _ in range(_MOST_STEPS if steps else 0):
            try:
                answers = self.run(repairs, steps)
            except PredictionFailed:
                break
            cases = self._first_differing_step(answers, repairs)
            if not cases:
                break
            place = cases[0].column.rpartition("/")[0]
            roots.append(Root(place, cases[:_MOST_COLUMNS]))
            repairs |= Repairs(steps=frozenset(case.column for case in cases))
        return roots, repairs

    def run(self, repairs: Repairs, columns: list[str], places: pa.Array | None = None) -> pa.Table:
        """Compute some step columns and outputs with columns repaired.

        Args:
            places: rows to run; all when None.

        Raises:
            PredictionFailed: the pipeline fails on repaired rows.
        """
        inputs, forced = self.repaired(repairs)
        if places is not None:
            inputs = inputs.take(places)
            forced = {name: values.take(places) for name, values in forced.items()}
        return self.rerun.experiment(inputs, columns, forced=forced)

    def agreed(self, repairs: Repairs, places: pa.Array | None = None) -> Mask:
        """Find rows whose outputs agree with the other side's, with columns repaired."""
        rules = self.outputs
        right = self.traced.right if places is None else self.traced.right.take(places)
        try:
            answers = self.run(repairs, list(rules.comparators), places)
        except PredictionFailed:
            return np.zeros(right.num_rows, dtype=bool)
        return compare(answers, right, rules).agreed

    def repaired(self, repairs: Repairs) -> tuple[pa.RecordBatch, dict[str, pa.Array]]:
        """Return the repaired features, and the step columns that are replaced."""
        inputs = self.traced.inputs
        for name in sorted(repairs.features):
            values = self.traced.right.column(name).combine_chunks()
            try:
                inputs = with_feature(inputs, name, values)
            except pa.ArrowInvalid:
                continue
        forced = {n: self.traced.right.column(n).combine_chunks() for n in sorted(repairs.steps)}
        return inputs, forced

    def case(self, column: str, left: pa.Array, before: Repairs) -> Case:
        """Build the case of one column, whose left side was computed with ``before`` repaired."""
        rule = self.traced.rules.comparators[column]
        right = self.traced.right.column(column).combine_chunks()
        sides = pa.table({column: left}), pa.table({column: right})
        differs = ~compare(*sides, only(self.traced.rules, [column])).agreed
        kind = self.traced.kinds[column]
        return Case(
            column=column,
            kind=kind,
            left=without_lists(left),
            right=without_lists(right),
            differs=differs,
            agrees=~differs,
            agree=_agree_in_time
            if pa.types.is_timestamp(left.type)
            else lambda a, b: _agree(a, b, rule),
            context=self.context,
            names=self.names,
            moved=self._runner_with_moved_times(column, before) if kind == "step" else None,
            raw_null=_null_inputs(self.traced.inputs, differs),
        )

    def _features(self) -> list[Case]:
        diverged = self.traced.sample.diverged
        if not self.traced.of_kind("output"):
            diverged = np.ones(len(diverged), dtype=bool)
        names = [
            name
            for name in self.traced.of_kind("feature")
            if (self.traced.differs(name) & diverged).any()
        ]
        cases = [self._input(name) for name in names]
        return sorted(cases, key=lambda case: -int(case.differs.sum()))

    def _trusted(self, cases: list[Case]) -> list[Case]:
        """Drop features whose table values are not those that the other side used.

        Set to these values, such a feature makes steps or answers differ that agreed before.
        """
        names = [*self.traced.of_kind("step"), *self.traced.of_kind("output")]
        if not names:
            return cases
        rules = only(self.traced.rules, names)
        all_features = Repairs(features=frozenset(case.column for case in cases))
        if self._count_differing(all_features, names, rules) == 0:
            return cases  # each may mislead without the others, as two exchanged columns do
        before = self._count_differing(Repairs(), names, rules)
        trusted = []
        for case in cases[:_MOST_TRIED]:
            repairs = Repairs(features=frozenset((case.column,)))
            after = self._count_differing(repairs, names, rules)
            if after is None or before is None or after <= before:
                trusted.append(case)
                continue
            mask = self.traced.sample.diverged & case.differs
            restored = int((self.agreed(repairs) & mask).sum())
            self.cleared.append(
                f"With the {self.names[1]} `{case.column}` instead, {count(restored)} of the "
                f"{rows(int(mask.sum()))} that differ in it and diverge agree in every output, and "
                "others no longer do."
            )
        return [*trusted, *cases[_MOST_TRIED:]]

    def _count_differing(self, repairs: Repairs, names: list[str], rules: Rules) -> int | None:
        """Count the values that differ with columns repaired; None where it cannot be run."""
        try:
            answers = self.run(repairs, names)
        except PredictionFailed:
            return None
        compared = compare(answers, self.traced.right, rules).columns
        return sum(int((~column.agree).sum()) for column in compared.values())

    def _input(self, name: str) -> Case:
        return self.case(name, self.traced.left.column(name).combine_chunks(), Repairs())

    def _first_differing_step(self, answers: pa.Table, repairs: Repairs) -> list[Case]:
        """Return the differing columns of the first step that differs."""
        names = [n for n in self.traced.of_kind("step") if n not in repairs.steps]
        for _, group in groupby(names, key=lambda name: name.rpartition("/")[0]):
            part = list(group)
            compared = compare(answers, self.traced.right, only(self.traced.rules, part)).columns
            differing = [name for name in part if not compared[name].agree.all()]
            if differing:
                differing.sort(key=lambda name: -int((~compared[name].agree).sum()))
                return [
                    self.case(n, answers.column(n).combine_chunks(), repairs) for n in differing
                ]
        return []

    def _runner_with_moved_times(
        self, column: str, before: Repairs
    ) -> Callable[[str, npt.NDArray[np.int64], Floats], Floats]:
        inputs, forced = self.repaired(before)

        def moved(feature: str, positions: npt.NDArray[np.int64], times: Floats) -> Floats:
            places = pa.array(positions)
            moved_to = with_hours(inputs.take(places), feature, times)
            replaced = {name: values.take(places) for name, values in forced.items()}
            try:
                answers = self.rerun.experiment(moved_to, [column], forced=replaced)
            except PredictionFailed:
                return np.full(len(positions), np.nan)
            return numbers(answers.column(column))

        return moved


def _null_inputs(inputs: pa.RecordBatch, differs: Mask) -> Mask | None:
    """Return the null mask of a feature that is null on nearly all differing rows, if any is."""
    for column in inputs.columns:
        if column.null_count and differs.any():
            null: Mask = pc.is_null(column).to_numpy(zero_copy_only=False)
            if null[differs].mean() >= 0.99:
                return null
    return None


def _agree(left: Floats, right: Floats, rule: Comparator) -> Mask:
    """Compare with the policy's tolerance; NaN, which stands for null, agrees with NaN."""
    left_batch, right_batch = (
        pa.record_batch({"column": pa.array(side)}) for side in (left, right)
    )
    if rule.kind == "label":
        return np.asarray((left == right) | (np.isnan(left) & np.isnan(right)))
    return compare(left_batch, right_batch, Rules(comparators={"column": rule})).agreed


def _agree_in_time(left: Floats, right: Floats) -> Mask:
    """Compare times, in hours, to the millisecond."""
    return np.abs(left - right) * 3_600_000 < 1
