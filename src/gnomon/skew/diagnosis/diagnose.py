"""Find where two sides first diverge, and confirm the cause by undoing it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from gnomon.artifact import Artifact
from gnomon.compare.comparators import compare
from gnomon.contract import Contract
from gnomon.errors import PredictionFailed
from gnomon.offline.rerun import Rerun, step_columns
from gnomon.offline.shifts import History
from gnomon.policy import Rules
from gnomon.quantities import count, rows
from gnomon.report import Diagnosis, Rung, Swap, share
from gnomon.skew.consistency.reported_columns import only
from gnomon.skew.diagnosis.batch_dependence import BatchDependence, probe_batch_dependence
from gnomon.skew.diagnosis.case import CONFIRMED, Mask, spread
from gnomon.skew.diagnosis.cause_findings import CauseFinding, gather
from gnomon.skew.diagnosis.diagnosis_writer import WEIGHED, DiagnosisWriter
from gnomon.skew.diagnosis.distortion_search import DistortionMatch, search
from gnomon.skew.diagnosis.external_causes import ExternalCause, ExternalCauses, since_packed
from gnomon.skew.diagnosis.other_environment import OtherEnvironment
from gnomon.skew.diagnosis.restoring_inputs import swaps
from gnomon.skew.diagnosis.root_divergences import RepairRunner, Repairs, Root
from gnomon.skew.diagnosis.row_context import surroundings
from gnomon.skew.diagnosis.shifted_as_of import versions
from gnomon.skew.diagnosis.traced_rows import TracedRows

__all__ = ["NOTHING_TO_RUN", "Diagnosed", "Others", "diagnose"]

_MOST_TARGETS = 30

_CERTAINTY = ("confirmed", "described", "unknown")
"""In what order diagnoses are listed."""

_OF_ANSWERS = frozenset({"float32", "rounding", "truncation", "float noise", "unit change"})
"""Causes that can arise when answers are stored; all other causes act before that."""

Others = Callable[[], Iterator[tuple[Artifact, Rerun]]]


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """A diagnosis, the rungs of the ladder that were run, and each column's effect on answers."""

    diagnosis: Diagnosis
    ladder: tuple[Rung, ...]
    swaps: tuple[Swap, ...] = ()


NOTHING_TO_RUN = Diagnosed(
    Diagnosis(
        verdict="unknown",
        column=None,
        step="",
        cause="unknown",
        sentence="No row could be run again, so it is unknown where the two sides first "
        "differ: the log no longer holds the bodies, or the artifact fails on them here.",
    ),
    (),
)
"""The result where rows diverge and none of them can be traced."""


def diagnose(
    traced: TracedRows,
    artifact: Artifact,
    rerun: Rerun,
    *,
    names: tuple[str, str],
    confidence: float,
    others: Others | None = None,
    other_environment: OtherEnvironment | None = None,
    history: History | None = None,
) -> Diagnosed:
    """Find where rows first differ and, if undoing a cause confirms it, why.

    Args:
        traced: the traced rows, some of which diverge.
        artifact: the artifact whose answers are on the left.
        rerun: runs that artifact.
        names: the names of the two sides.
        confidence: the confidence of the interval of the repaired share.
        others: other versions of the artifact, tried only when nothing else explains the rows.
        other_environment: the artifact in another environment.
        history: looks up the right side's values at other times.
    """
    return _Investigation(
        traced, artifact, rerun, names, confidence, others, other_environment, history
    ).run()


@dataclass(slots=True)
class _Investigation:
    traced: TracedRows
    artifact: Artifact
    rerun: Rerun
    names: tuple[str, str]
    confidence: float
    others: Others | None
    other_environment: OtherEnvironment | None
    history: History | None
    evidence: list[str] = field(default_factory=list)
    ladder: tuple[Rung, ...] = ()

    @property
    def contract(self) -> Contract:
        return self.traced.contract

    def run(self) -> Diagnosed:
        runner = RepairRunner(
            self.traced,
            self.rerun,
            surroundings(self.traced, self.contract, self.history),
            self.names,
        )
        dependence = self._batch_dependence(runner)
        if self.history:
            self.ladder += tuple(versions(self.traced, self.artifact, self.rerun, self.history))
        self.ladder += self._other_environment_rungs(runner.outputs)
        if (
            dependence is not None
            and dependence.cause is not None
            and self._explains_divergence(dependence)
        ):
            return Diagnosed(self._batch_diagnosis(dependence), self.ladder)
        diagnosis = self._environment_diagnosis(runner)
        if diagnosis is not None:
            return Diagnosed(diagnosis, self.ladder)
        roots, everything = runner.roots()
        restoring = swaps(runner, roots, self.confidence)
        self.evidence += runner.cleared
        findings = [finding for root in roots for finding in gather(root, self.names)]
        findings = findings or self._answer_findings(runner)
        findings = self._replace_unknown(runner, findings)
        findings = self._weigh(runner, findings)
        external = None
        if not findings or not self._restores_outputs(runner, everything):
            external = self._other_version(runner)
        if not any(map(_matters, findings)):
            external = external or self._model_diagnosis(runner)
        if external and not findings:
            return Diagnosed(external, self.ladder, restoring)
        is_unsure = not self._reproduces_logged(runner)
        writer = DiagnosisWriter(
            self.traced, self.rerun, self.names, self.confidence, tuple(self.evidence)
        )
        diagnoses = [writer.write(finding, is_unsure) for finding in findings]
        diagnoses.sort(
            key=lambda d: (_CERTAINTY.index(d.verdict), -(d.accounts.rows if d.accounts else 0))
        )
        first, *rest = [external, *diagnoses] if external else diagnoses
        return Diagnosed(replace(first, also=tuple(rest[:8])), self.ladder, restoring)

    def _batch_dependence(self, runner: RepairRunner) -> BatchDependence | None:
        """Run the first rungs of the ladder; None where there are no outputs to compare."""
        rules = runner.outputs
        if not rules.comparators:
            return None
        try:
            dependence = probe_batch_dependence(
                self.traced.inputs,
                self.traced.left,
                self.traced.right,
                self.traced.sample.diverged,
                rules,
                step_columns(self.artifact),
                self.rerun,
            )
        except PredictionFailed as error:
            self.evidence.append(f"Run one by one, rows fail: {error.message}.")
            return None
        self.ladder = dependence.rungs
        return dependence

    def _explains_divergence(self, dependence: BatchDependence) -> bool:
        """Whether enough rows vary to account for the divergence."""
        diverged = max(int(self.traced.sample.diverged.sum()), 1)
        return dependence.varied >= 0.2 * min(dependence.tried, diverged)

    def _batch_diagnosis(self, dependence: BatchDependence) -> Diagnosis:
        step = (dependence.place or "").rpartition("/")[0]
        confirmed = dependence.undone >= CONFIRMED * dependence.varied
        where = f"Step {step}" if step else f"The answer of {self.artifact.tag}"
        return Diagnosis(
            verdict="confirmed" if confirmed else "unknown",
            column=dependence.place,
            step=step,
            cause=str(dependence.cause) if confirmed else "unknown",
            sentence=f"{where} {dependence.sentence}.",
            evidence=(*self.evidence, dependence.evidence),
            action=dependence.action,
            repaired=share(dependence.undone, dependence.varied, self.confidence),
        )

    def _other_environment_rungs(self, rules: Rules) -> tuple[Rung, ...]:
        if self.other_environment is None or not rules.comparators:
            return ()
        answers = self.other_environment.rerun.score(self.traced.inputs)
        return (
            Rung(
                name="R5",
                what=f"with {self.other_environment.name}",
                rows=answers.num_rows,
                as_left=int(compare(answers, self.traced.left, rules).agreed.sum()),
                as_right=int(compare(answers, self.traced.right, rules).agreed.sum()),
            ),
        )

    def _reproduces_logged(self, runner: RepairRunner) -> bool:
        """Whether the logged answers are reproduced; if not, the traced steps are unreliable."""
        rules = runner.outputs
        if not rules.comparators:
            return bool(self.traced.reproduced.mean() >= CONFIRMED)
        answers = self.rerun.score(self.traced.inputs)
        agreed = compare(answers, self.traced.left, rules).agreed
        if agreed.mean() >= CONFIRMED:
            return True
        self.evidence.append(
            f"Run again, {count(int((~agreed).sum()))} of {rows(len(agreed))} did not give the "
            f"logged answer: the steps may have computed something else {self.names[0]}, "
            "so nothing is confirmed."
        )
        return False

    def _restores_outputs(self, runner: RepairRunner, everything: Repairs) -> bool:
        """Whether the answers agree once every column is repaired."""
        if not runner.outputs.comparators:
            return True
        diverged = self.traced.sample.diverged
        agreed = runner.agreed(everything)
        return bool(agreed[diverged].mean() >= CONFIRMED) if diverged.any() else True

    def _answer_findings(self, runner: RepairRunner) -> list[CauseFinding]:
        """Find causes that are visible in the answers themselves: fewer digits or the last bits."""
        cases = [
            runner.case(name, self.traced.left.column(name).combine_chunks(), Repairs())
            for name in runner.outputs.comparators
        ]
        differing = [case for case in cases if case.differs.any() and case.is_numeric]
        findings = gather(Root("", differing), self.names) if differing else []
        answer_findings = [f for f in findings if f.cause in _OF_ANSWERS]
        for finding in answer_findings:
            finding.of_answers, finding.accounts = True, finding.vanished
        return answer_findings

    def _replace_unknown(
        self, runner: RepairRunner, findings: list[CauseFinding]
    ) -> list[CauseFinding]:
        """Try distortions of the inputs for steps without a cause, and for answers that differ."""
        replaced: list[CauseFinding] = []
        for finding in findings:
            match = None
            is_open = finding.cause == "unknown" or not finding.is_confirmed
            if is_open and finding.place:
                match = self._distortion(finding.columns[:_MOST_TARGETS], finding.rows, runner)
            replaced += (
                self._match_findings(match, finding.rows, finding.place) if match else [finding]
            )
        if replaced or not runner.outputs.comparators:
            return replaced
        diverged = self.traced.sample.diverged
        match = self._distortion(list(runner.outputs.comparators), diverged, runner)
        return self._match_findings(match, diverged, "") if match else []

    def _distortion(
        self, targets: list[str], differs: Mask, runner: RepairRunner
    ) -> DistortionMatch | None:
        rules = only(self.traced.rules, targets)
        steps = [name for name in targets if self.traced.kinds[name] == "step"]

        def answer(batch: pa.RecordBatch) -> pa.Table | pa.RecordBatch:
            if steps:
                return self.rerun.experiment(batch, targets)
            return self.rerun.score(batch)

        return search(
            self.traced.inputs,
            self.traced.right.select(targets),
            differs,
            rules,
            self.contract,
            answer,
            runner.context.zones,
        )

    def _match_findings(
        self, match: DistortionMatch, differs: Mask, place: str
    ) -> list[CauseFinding]:
        if match.rivals:
            candidates = (match.parts[-1], *match.rivals)
            changes = sorted({f"{c.cause} of `{c.features[0]}`" for c in candidates})
            if len({c.cause for c in candidates}) > 1:
                self.evidence.append(
                    f"Several changes explain the answers equally well: {', '.join(changes)}."
                )
                return []
        return [
            CauseFinding(
                cause=part.cause,
                place="",
                columns=list(part.features),
                finding=part.finding,
                undone="With that applied to the online features and run again"
                + (f", up to step {place}" if place else ""),
                action=part.action,
                rows=differs,
                differing=match.tried,
                vanished=match.restored,
                was_tried=True,
                accounts=match.restored,
            )
            for part in match.parts
        ]

    def _weigh(self, runner: RepairRunner, findings: list[CauseFinding]) -> list[CauseFinding]:
        """Count the rows each finding accounts for; drop unknown ones that change no answer."""
        if not runner.outputs.comparators or not self.traced.sample.diverged.any():
            return findings
        places = pa.array(spread(self.traced.sample.diverged, WEIGHED))
        all_repairs = Repairs()
        for finding in findings:
            all_repairs |= finding.repairs
        restored = runner.agreed(all_repairs, places)
        weighed = []
        for finding in findings:
            if finding.accounts is not None:
                weighed.append(finding)
                continue
            other_repairs = all_repairs - finding.repairs
            still_diverging = ~runner.agreed(other_repairs, places)
            agreed_alone = runner.agreed(finding.repairs, places)
            own = finding.rows[places.to_numpy()]
            finding.accounts = int((still_diverging & restored & own).sum()) or int(
                (agreed_alone & own).sum()
            )
            finding.moves = self._moves(runner, all_repairs, other_repairs, places)
            matters = finding.accounts or finding.moves or not restored.any()
            if matters or finding.cause != "unknown":
                weighed.append(finding)
            else:
                self.evidence.append(
                    f"`{finding.name}` differs on {rows(int(finding.rows.sum()))} "
                    "too, but changes no answer."
                )
        return weighed

    def _moves(
        self, runner: RepairRunner, all_repairs: Repairs, other_repairs: Repairs, places: pa.Array
    ) -> float | None:
        names = list(runner.outputs.comparators)
        try:
            repaired, without = (runner.run(r, names, places) for r in (all_repairs, other_repairs))
        except PredictionFailed:
            return None
        difference = compare(repaired, without, runner.outputs).difference
        known = difference[np.isfinite(difference)]
        return float(known.mean()) if len(known) else None

    def _environment_diagnosis(self, runner: RepairRunner) -> Diagnosis | None:
        """Diagnose the environment if the other one gives the other side's answers.

        It is then the cause, whatever pattern the values have.
        """
        if self.other_environment is None or not runner.outputs.comparators:
            return None
        return self._external_diagnosis(
            self._external_causes(runner).environment(self.other_environment)
        )

    def _other_version(self, runner: RepairRunner) -> Diagnosis | None:
        """Diagnose another version of the artifact, if it gives the other side's answers."""
        if self.others is None or not runner.outputs.comparators:
            return None
        return self._external_diagnosis(self._external_causes(runner).version(self.others()))

    def _external_causes(self, runner: RepairRunner) -> ExternalCauses:
        return ExternalCauses(self.traced, self.artifact, self.rerun, self.names, runner.outputs)

    def _external_diagnosis(self, cause: ExternalCause | None) -> Diagnosis | None:
        if cause is None:
            return None
        diverged = int(self.traced.sample.diverged.sum())
        return Diagnosis(
            verdict="confirmed",
            column=cause.column,
            step=(cause.column or "").rpartition("/")[0],
            cause=cause.cause,
            sentence=cause.sentence,
            evidence=tuple(self.evidence),
            action=cause.action,
            repaired=share(cause.same, diverged, self.confidence),
        )

    def _model_diagnosis(self, runner: RepairRunner) -> Diagnosis:
        """Diagnose the model, or a step the table does not have: no column differs by itself."""
        steps = self.traced.of_kind("step")
        is_unsure = not self._reproduces_logged(runner)
        return Diagnosis(
            verdict="unknown",
            column=None,
            step="",
            cause="unknown",
            sentence="Every column that both sides have agrees, up to the outputs: they first "
            "differ in the model, or in a step for which the table has no column."
            if not is_unsure
            else "The logged answers cannot be reproduced here: online ran other code, or "
            "other versions of the packages.",
            evidence=(*self.evidence, *since_packed(self.artifact)),
            action="Compare the environments, and run `gnomon diagnose --python` with the other's "
            "interpreter."
            if is_unsure
            else (
                "Compare the model's own version and settings on both sides."
                if steps
                else "Give the table features and step columns too; they show where "
                "the sides first differ."
            ),
        )


def _matters(finding: CauseFinding) -> bool:
    """Whether a finding changes an answer, or that is not known."""
    return finding.accounts is None or bool(finding.accounts or finding.moves)
