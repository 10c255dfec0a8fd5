"""Where two sides part first, and why: the walk's columns, the causes, and the proof."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gnomon.preprocessing import Contract
from gnomon.shadow.compare.comparators import compare
from gnomon.shadow.consistency.columns import only
from gnomon.shadow.consistency.rerun import Rerun
from gnomon.shadow.diagnosis.causes import CONFIRMED, Attempt, Case, attempts
from gnomon.shadow.diagnosis.facts import facts
from gnomon.shadow.diagnosis.inputs import hours, numbers, with_feature, with_hours
from gnomon.shadow.diagnosis.walk import Followed
from gnomon.shadow.policy import Comparator, Rules
from gnomon.shadow.report import Diagnosis, share
from gnomon.shadow.report.numbers import count, rows

__all__ = ["diagnose"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_HEALS = 0.5
"""The share of a feature's rows whose outputs must come to agree for it to be why they diverge."""


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
    evidence: list[str] = field(default_factory=list)

    def run(self) -> Diagnosis:
        column = self._first()
        if column is None:
            return Diagnosis(
                verdict="unknown",
                column=None,
                step="",
                cause="unknown",
                sentence="Every column that both sides have agrees, up to the outputs: they part "
                "in the model, or in a step the table has no column of.",
                evidence=tuple(self.evidence),
            )
        tried = list(attempts(self._case(column))) if self._is_numeric(column) else []
        for attempt in tried:
            self.evidence.append(
                f"{attempt.repair.undone}, {self._called(column)} agrees on "
                f"{count(attempt.vanished)} of the {rows(attempt.differing)} that differed."
            )
        if self.walk.reproduced.mean() < CONFIRMED:
            lost = int((~self.walk.reproduced).sum())
            self.evidence.append(
                f"Run again, {count(lost)} of {rows(len(self.walk.reproduced))} did not give the "
                f"logged answer: what the steps computed {self.names[0]} may have been something "
                "else, so nothing is confirmed."
            )
            return self._unknown(column)
        if tried and tried[-1].confirmed:
            return self._confirmed(column, tried[-1])
        return self._unknown(column)

    def _first(self) -> str | None:
        """The column at which most diverging rows part first; clears features that are not it."""
        diverged = self.walk.sample.diverged
        names = [name for name in self.walk.kinds if (self.walk.differs(name) & diverged).any()]
        while first := self._first_of_each(names, diverged):
            column, parting = first.most_common(1)[0]
            if self.walk.kinds[column] == "feature" and self._is_cleared(column, names):
                names.remove(column)
                continue
            self.evidence.append(
                f"{self._called(column)} is the first column to differ on {count(parting)} of the "
                f"{rows(int(diverged.sum()))} that diverge."
            )
            self.evidence += [
                f"Another {rows(n)} part first at {self._called(other)}."
                for other, n in first.most_common(4)[1:]
            ]
            return column
        return None

    def _first_of_each(self, names: Sequence[str], diverged: Mask) -> Counter[str]:
        """How many diverging rows part first at each column."""
        if not names:
            return Counter()
        apart = np.column_stack([self.walk.differs(name) for name in names])[diverged]
        first = apart[apart.any(axis=1)].argmax(axis=1)
        found = np.bincount(first, minlength=len(names)).tolist()
        return Counter({name: n for name, n in zip(names, found, strict=True) if n})

    def _is_cleared(self, feature: str, differing: Sequence[str]) -> bool:
        """Whether outputs diverge just as much with the right side's values of a feature.

        It is tried alone and, since features may be wrong together, with and without all others
        that differ.
        """
        at = self.walk.sample.diverged & self.walk.differs(feature)
        others = [n for n in differing if self.walk.kinds[n] == "feature" and n != feature]
        alone = self._healed([feature])
        if alone is None:
            return False
        if (alone & at).sum() < _HEALS * at.sum() and others:
            together, without = self._healed([feature, *others]), self._healed(others)
            if together is not None and without is not None:
                alone |= together & ~without
        healed = int((alone & at).sum())
        self.evidence.append(
            f"With the {self.names[1]} value of `{feature}` in place of the {self.names[0]} one, "
            f"{count(healed)} of the {rows(int(at.sum()))} that differ in it and diverge agree in "
            "every output."
        )
        return healed < _HEALS * int(at.sum())

    def _healed(self, features: Sequence[str]) -> Mask | None:
        """Rows whose outputs agree with the right side's features; None when it cannot be tried."""
        inputs = self.walk.inputs
        for name in features:
            try:
                inputs = with_feature(inputs, name, self.walk.right.column(name).combine_chunks())
            except pa.ArrowInvalid:
                return None
        return self._outputs_agree(inputs)

    def _outputs_agree(self, inputs: pa.RecordBatch) -> Mask | None:
        """Rows whose outputs, run again on other inputs, agree with the right side's."""
        outputs = self.walk.of_kind("output")
        if not outputs:
            return None
        rules = only(self.walk.rules, outputs)
        return compare(self.rerun.score(inputs), self.walk.right, rules).agreed

    def _is_numeric(self, column: str) -> bool:
        return self.walk.compared.columns[column].difference is not None

    def _case(self, column: str) -> Case:
        rule = self.walk.rules.comparators[column]
        is_timestamp = pa.types.is_timestamp(self.walk.left.schema.field(column).type)
        times = [f for f in self.contract.features if f.type == "timestamp"]

        def moved(feature: str, at: npt.NDArray[np.int64], to: Floats) -> Floats:
            inputs = with_hours(self.walk.inputs.take(pa.array(at)), feature, to)
            return numbers(self.rerun.trace(inputs, [column]).column(column))

        return Case(
            left=numbers(self.walk.left.column(column)),
            right=numbers(self.walk.right.column(column)),
            differs=self.walk.differs(column),
            agree=_agree_in_time if is_timestamp else lambda one, other: _agree(one, other, rule),
            names=self.names,
            is_timestamp=is_timestamp,
            moments={f.name: hours(self.walk.inputs.column(f.name)) for f in times},
            moved=moved if self.walk.kinds[column] == "step" else None,
            zones=tuple(f.timezone for f in times if f.timezone),
        )

    def _confirmed(self, column: str, attempt: Attempt) -> Diagnosis:
        repair = attempt.repair
        if repair.moved is not None:
            healed = self._outputs_agree(with_hours(self.walk.inputs, *repair.moved))
            diverged = self.walk.sample.diverged
            if healed is not None:
                self.evidence.append(
                    f"The outputs then agree on {count(int((healed & diverged).sum()))} of the "
                    f"{rows(int(diverged.sum()))} that diverged."
                )
        elif self.walk.kinds[column] == "step":
            self.evidence.append("This was tried on the column; later steps were not run again.")
        return Diagnosis(
            verdict="confirmed",
            column=column,
            step=self._step(column),
            cause=repair.cause,
            sentence=f"{self.names[0].capitalize()} {self._called(column)} {repair.finding}.",
            evidence=tuple(self.evidence),
            action=repair.action,
            repaired=share(attempt.vanished, attempt.differing, self.confidence),
        )

    def _unknown(self, column: str) -> Diagnosis:
        step, called = self._step(column), self._called(column)
        actions = {
            "feature": f"Find out where {called} comes from on either side: it differs before any "
            "code of the artifact has run.",
            "step": f"Compare the code and the fitted state of step {step} with what the "
            f"{self.names[1]} side ran.",
            "output": "Give the table features and step columns too; they show which step parts.",
        }
        return Diagnosis(
            verdict="unknown",
            column=column,
            step=step,
            cause="unknown",
            sentence=f"The two sides part at {called}. Why is not known: no cause that was tried "
            "could be confirmed.",
            evidence=(*self.evidence, *facts(self.walk, column, called.strip("`"), self.names)),
            action=actions[self.walk.kinds[column]],
        )

    def _step(self, column: str) -> str:
        return column.rpartition("/")[0] if self.walk.kinds[column] == "step" else ""

    def _called(self, column: str) -> str:
        return f"`{column.rpartition('/')[2] if self._step(column) else column}`"


def _agree(left: Floats, right: Floats, rule: Comparator) -> Mask:
    """The policy's tolerance; NaN, which is null, agrees with NaN."""
    one, other = (pa.record_batch({"column": pa.array(side)}) for side in (left, right))
    return compare(one, other, Rules(comparators={"column": rule})).agreed


def _agree_in_time(left: Floats, right: Floats) -> Mask:
    """Hours, as floats, that are the same to the millisecond."""
    return np.abs(left - right) * 3_600_000 < 1
