"""Where two sides part first, and why: the walk's columns, the causes, and the proof."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.preprocessing import Contract
from gnomon.shadow.causes import CONFIRMED, Attempt, Case, attempts
from gnomon.shadow.columns import only, quantiles
from gnomon.shadow.comparators import compare
from gnomon.shadow.policy import Comparator, Rules
from gnomon.shadow.report import Diagnosis, share
from gnomon.shadow.report.numbers import count, number, rows, value
from gnomon.shadow.rerun import Rerun
from gnomon.shadow.walk import Followed

__all__ = ["diagnose"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_HOUR = 3_600.0


def diagnose(
    walk: Followed, contract: Contract, rerun: Rerun, *, names: tuple[str, str], confidence: float
) -> Diagnosis:
    """Name the first column that parts and, when undoing a cause proves it, the cause.

    Args:
        walk: rows of which some diverge.
        contract: of the artifact that was run again.
        rerun: that artifact.
        names: what the two sides are called.
        confidence: of the interval of the share repaired.
    """
    return _Investigation(walk, contract, rerun, names, confidence).run()


@dataclass(slots=True)
class _Investigation:
    walk: Followed
    contract: Contract
    rerun: Rerun
    names: tuple[str, str]
    confidence: float

    def run(self) -> Diagnosis:
        evidence: list[str] = []
        column = self._first(evidence)
        if column is None:
            return Diagnosis(
                verdict="unknown",
                column=None,
                step="",
                cause="unknown",
                sentence="Every column that both sides have agrees, up to the outputs: they part "
                "in the model, or in a step the table has no column of.",
                evidence=tuple(evidence),
            )
        differs = self.walk.differs(column)
        if not self.walk.reproduced.all():
            evidence.append(
                f"Run again, {rows(int((~self.walk.reproduced).sum()))} of "
                f"{count(len(differs))} did not give the logged answer: what the steps computed "
                f"{self.names[0]} may have been something else."
            )
        tried = list(attempts(self._case(column))) if self._is_numeric(column) else []
        if tried and tried[-1].confirmed and self.walk.reproduced.mean() >= CONFIRMED:
            return self._confirmed(column, tried[-1], evidence)
        evidence += [
            f"{t.repair.undone}, only {count(t.vanished)} of {rows(t.differing)} that differ agree."
            for t in tried
        ]
        return self._unknown(column, [*evidence, *self._facts(column)])

    def _first(self, evidence: list[str]) -> str | None:
        """The column at which most diverging rows part first; clears features that are not it."""
        diverged = self.walk.sample.diverged
        names = [name for name in self.walk.kinds if self.walk.differs(name).any()]
        while True:
            first = self._first_of_each(names, diverged)
            if not first:
                return None
            column, share_of = first.most_common(1)[0]
            healed = self._healed(column) if self.walk.kinds[column] == "feature" else None
            at = diverged & self.walk.differs(column)
            if healed is not None and (healed & at).sum() < 0.5 * at.sum():
                left = int((at & ~healed).sum())
                evidence.append(
                    f"`{column}` differs on {rows(int(at.sum()))} that diverge but is not why: "
                    f"with the {self.names[1]} value in its place, {count(left)} still diverge."
                )
                names.remove(column)
                continue
            evidence.append(
                f"`{_bare(column)}` is the first column to differ on {count(share_of)} of the "
                f"{rows(int(diverged.sum()))} that diverge."
            )
            if healed is not None:
                evidence.append(
                    f"With the {self.names[1]} value of `{column}` in place of the {self.names[0]} "
                    f"one, {count(int((healed & at).sum()))} of these {rows(int(at.sum()))} agree "
                    "in every output."
                )
            evidence += [
                f"Another {rows(n)} part first at `{_bare(other)}`."
                for other, n in first.most_common(4)[1:]
            ]
            return column

    def _first_of_each(self, names: list[str], diverged: Mask) -> Counter[str]:
        if not names:
            return Counter()
        apart = np.column_stack([self.walk.differs(name) for name in names])[diverged]
        known = apart.any(axis=1)
        found = np.bincount(apart[known].argmax(axis=1), minlength=len(names))
        return Counter({name: int(n) for name, n in zip(names, found.tolist(), strict=True) if n})

    def _healed(self, feature: str) -> Mask | None:
        """Rows whose outputs agree once the left side's feature is the right side's."""
        given = self.walk.right.column(feature).combine_chunks()
        return self._outputs_agree(_replaced(self.walk.inputs, feature, given))

    def _outputs_agree(self, inputs: pa.RecordBatch | None) -> Mask | None:
        outputs = self.walk.of_kind("output")
        if inputs is None or not outputs:
            return None
        rules = only(self.walk.rules, outputs)
        return compare(self.rerun.score(inputs), self.walk.right, rules).agreed

    def _is_numeric(self, column: str) -> bool:
        return self.walk.compared.columns[column].difference is not None

    def _case(self, column: str) -> Case:
        rule = self.walk.rules.comparators[column]
        kind = self.walk.left.schema.field(column).type
        timestamp = pa.types.is_timestamp(kind)
        moments = {
            f.name: _numbers(self.walk.inputs.column(f.name))
            for f in self.contract.features
            if f.type == "timestamp"
        }
        zones = [f.timezone for f in self.contract.features if f.timezone]
        return Case(
            left=_numbers(self.walk.left.column(column)),
            right=_numbers(self.walk.right.column(column)),
            differs=self.walk.differs(column),
            agree=lambda left, right: _agree(left, right, rule, timestamp),
            names=self.names,
            is_timestamp=timestamp,
            moments=moments,
            moved=(lambda feature, at, to: self._moved(column, feature, at, to))
            if self.walk.kinds[column] == "step"
            else None,
            zones=tuple(dict.fromkeys(zones)),
        )

    def _moved(self, column: str, feature: str, at: npt.NDArray[np.int64], to: Floats) -> Floats:
        """The step column on some rows with a timestamp feature replaced."""
        inputs = _with_moments(self.walk.inputs.take(pa.array(at)), feature, to)
        return _numbers(self.rerun.trace(inputs, [column]).column(column))

    def _confirmed(self, column: str, attempt: Attempt, evidence: list[str]) -> Diagnosis:
        repair = attempt.repair
        evidence.append(
            f"{repair.undone}, `{_bare(column)}` agrees on {count(attempt.vanished)} of the "
            f"{rows(attempt.differing)} that differed."
        )
        if repair.moved is not None:
            healed = self._outputs_agree(_with_moments(self.walk.inputs, *repair.moved))
            if healed is not None:
                was = self.walk.sample.diverged
                evidence.append(
                    f"The outputs then agree on {count(int((healed & was).sum()))} of the "
                    f"{rows(int(was.sum()))} that diverged."
                )
        elif self.walk.kinds[column] == "step":
            evidence.append("This was tried on the column itself; later steps were not run again.")
        return Diagnosis(
            verdict="confirmed",
            column=column,
            step=_step(column),
            cause=repair.cause,
            sentence=f"{self.names[0].capitalize()} `{_bare(column)}` {repair.finding}.",
            evidence=tuple(evidence),
            action=repair.action,
            repaired=share(attempt.vanished, attempt.differing, self.confidence),
        )

    def _unknown(self, column: str, evidence: list[str]) -> Diagnosis:
        place = f"in step {_step(column)}" if _step(column) else "there"
        actions = {
            "feature": f"Find out where `{column}` comes from on either side: it differs before "
            "any code of the artifact has run.",
            "step": f"Compare the code and the fitted state of step {_step(column)} with what the "
            "offline side ran.",
            "output": "Give the table the features and step columns too (gnomon.preprocessing."
            "trace names them); they show which step parts.",
        }
        return Diagnosis(
            verdict="unknown",
            column=column,
            step=_step(column),
            cause="unknown",
            sentence=f"The two sides part at `{_bare(column)}`; what happens {place} is not known: "
            "no cause that was tried could be confirmed.",
            evidence=tuple(evidence),
            action=actions[self.walk.kinds[column]],
        )

    def _facts(self, column: str) -> Iterator[str]:
        """What can be seen without knowing why."""
        name, (left_name, right_name) = _bare(column), self.names
        found = self.walk.compared.columns[column]
        differs = self.walk.differs(column)
        left, right = (
            t.column(column).filter(pa.array(differs)) for t in (self.walk.left, self.walk.right)
        )
        for nulls, side in ((found.left_null, left_name), (found.right_null, right_name)):
            if nulls.any():
                yield f"`{name}` is null {side} only on {rows(int(nulls.sum()))}."
        for values, side in ((left, left_name), (right, right_name)):
            distinct = pc.unique(values.drop_null())
            if len(distinct) == 1 and len(values) > 1:
                yield f"Where it differs, `{name}` is always {value(distinct[0].as_py())} {side}."
        if len(left) > 2 and pc.array_sort_indices(left) is not None and _same_values(left, right):
            yield "Both sides hold the same values in another order: look at how rows were matched."
        if found.difference is None:
            yield from _pairs(left, right, self.names)
        elif q := quantiles(found.difference[differs]):
            yield (
                f"{left_name.capitalize()} minus {right_name}, where they differ: median "
                f"{number(q['p50'], 4)}, from {number(q['min'], 4)} to {number(q['max'], 4)}."
            )


def _pairs(left: pa.ChunkedArray, right: pa.ChunkedArray, names: tuple[str, str]) -> Iterator[str]:
    """The most frequent pairs of different labels."""
    met = Counter(zip(left.to_pylist(), right.to_pylist(), strict=True))
    for (one, other), n in met.most_common(3):
        yield f"{value(one)} {names[0]} is {value(other)} {names[1]} on {rows(n)}."


def _same_values(left: pa.ChunkedArray, right: pa.ChunkedArray) -> bool:
    return sorted(left.to_pylist(), key=str) == sorted(right.to_pylist(), key=str)


def _agree(left: Floats, right: Floats, rule: Comparator, timestamp: bool) -> Mask:
    if timestamp:
        return np.abs(left - right) * _HOUR <= max(rule.absolute, 1e-3)
    one, other = (pa.record_batch({"column": pa.array(side)}) for side in (left, right))
    return compare(one, other, Rules(comparators={"column": rule})).agreed


def _numbers(column: pa.Array | pa.ChunkedArray) -> Floats:
    """As 64 bit floats, timestamps as hours since 1970; null is NaN."""
    per = 1.0
    if pa.types.is_timestamp(column.type):
        column, per = pc.cast(column.cast(pa.timestamp("us", tz="UTC")), pa.int64()), _HOUR * 1e6
    floats = pc.cast(column, pa.float64(), safe=False)
    return (
        np.asarray(
            floats.to_numpy(zero_copy_only=False)
            if isinstance(floats, pa.Array)
            else floats.to_numpy(),
            dtype=np.float64,
        )
        / per
    )


def _with_moments(inputs: pa.RecordBatch, feature: str, hours: Floats) -> pa.RecordBatch:
    micros = np.round(np.nan_to_num(hours) * _HOUR * 1e6).astype(np.int64)
    kind = inputs.schema.field(feature).type
    moved = pa.array(micros, mask=np.isnan(hours)).cast(pa.timestamp("us", tz="UTC")).cast(kind)
    replaced = _replaced(inputs, feature, moved)
    assert replaced is not None
    return replaced


def _replaced(inputs: pa.RecordBatch, feature: str, values: pa.Array) -> pa.RecordBatch | None:
    """Inputs with one feature replaced; None when the values do not fit it."""
    at = inputs.schema.get_field_index(feature)
    try:
        fitting = pc.cast(values, inputs.schema.field(at).type)
    except pa.ArrowInvalid:
        return None
    return inputs.set_column(at, inputs.schema.field(at), fitting)


def _bare(column: str) -> str:
    return column.rpartition("/")[2]


def _step(column: str) -> str:
    return column.rpartition("/")[0]
