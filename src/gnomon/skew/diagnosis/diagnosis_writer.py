"""Write a finding as text, and decide whether it is confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gnomon.compare.comparators import compare
from gnomon.offline.rerun import Rerun
from gnomon.report import Diagnosis, share
from gnomon.report.numbers import count, plural, rows
from gnomon.skew.consistency.reported_columns import only
from gnomon.skew.diagnosis.cause_findings import CauseFinding
from gnomon.skew.diagnosis.observations import facts
from gnomon.skew.diagnosis.replaced_inputs import hours, with_hours
from gnomon.skew.diagnosis.shared_values import segment, since
from gnomon.skew.diagnosis.traced_rows import TracedRows

__all__ = ["WEIGHED", "DiagnosisWriter"]

WEIGHED = 2_000
"""How many rows are used to measure how much each cause accounts for."""


@dataclass(frozen=True, slots=True)
class DiagnosisWriter:
    """Writes the findings about the rows of one walk as text.

    Attributes:
        walk: the rows.
        rerun: runs the artifact on the left.
        names: the names of the two sides.
        confidence: the confidence of intervals.
        evidence: sentences about all the rows.
    """

    walk: TracedRows
    rerun: Rerun
    names: tuple[str, str]
    confidence: float
    evidence: tuple[str, ...]

    def write(self, finding: CauseFinding, unsure: bool) -> Diagnosis:
        """Write a finding as text.

        Args:
            finding: what differs and, if it was found, why.
            unsure: the logged answers are not reproduced, so the steps may give other values now
                than they gave online.
        """
        column, step = finding.columns[0], finding.place
        called = f"`{finding.name}`"
        diverged = int(self.walk.sample.diverged.sum())
        weighed = min(diverged, WEIGHED)
        about = self.walk.sample.pairs.about
        where = segment(
            finding.rows,
            self.walk.inputs,
            about,
            self.walk.sample.weights,
            but=frozenset(f"`{name}`" for name in finding.columns),
        )
        start = since(finding.rows, hours(about.column("moment")))
        doubted = unsure and (bool(step) or finding.of_answers) and finding.cause != "float noise"
        confirmed = finding.cause != "unknown" and not doubted
        common: dict[str, object] = {
            "column": column,
            "step": step,
            "columns": tuple(finding.columns[1:]),
            "accounts": None
            if finding.accounts is None
            else share(min(finding.accounts, weighed), weighed, self.confidence),
            "moves": finding.moves,
            "segment": where.text if where else None,
            "since": None if start is None else _iso(start),
        }
        evidence = [*self.evidence, *finding.tried]
        if confirmed:
            if not finding.tried:
                evidence.append(
                    f"{finding.undone}, {called} agrees on {count(finding.vanished)} of the "
                    f"{rows(finding.differing)} that differed."
                )
            evidence += self._evidence_of_moved_time(finding)
            more = plural(len(finding.columns) - 1, "more column")
            also = f" ({more} likewise)" if len(finding.columns) > 1 else ""
            return Diagnosis(
                verdict="confirmed",
                cause=finding.cause,
                sentence=f"{self.names[0].capitalize()} {called} {finding.finding}{also}."
                + (f" This holds where {where.text}." if where else ""),
                evidence=tuple(evidence),
                action=finding.action,
                repaired=share(finding.vanished, finding.differing, self.confidence),
                **common,  # type: ignore[arg-type]
            )
        if where is not None and finding.cause == "unknown" and finding.accounts and not unsure:
            return Diagnosis(
                verdict="confirmed",
                cause="segment-local skew",
                sentence=f"{self.names[0].capitalize()} {called} differs only where {where.text}: "
                f"{rows(int(finding.rows.sum()))}, {where.inside:.0%} of those there. How it was "
                f"changed is unknown; with its {self.names[1]} values, answers agree.",
                evidence=(*evidence, *facts(self.walk, column, called.strip("`"), self.names)),
                action=f"Find out what is done differently where {where.text}.",
                repaired=share(min(finding.accounts, weighed), weighed, self.confidence),
                **common,  # type: ignore[arg-type]
            )
        return self._unknown(finding, called, evidence, common)

    def _evidence_of_moved_time(self, finding: CauseFinding) -> Iterator[str]:
        """If a timestamp was moved, count the answers that agree with it moved."""
        rules = only(self.walk.rules, self.walk.of_kind("output"))
        if finding.proposal is None or finding.proposal.moved is None or not rules.comparators:
            return
        answers = self.rerun.score(with_hours(self.walk.inputs, *finding.proposal.moved))
        diverged = self.walk.sample.diverged
        restored = int((compare(answers, self.walk.right, rules).agreed & diverged).sum())
        of = rows(int(diverged.sum()))
        yield f"The outputs then agree on {count(restored)} of the {of} that diverged."

    def _unknown(
        self, finding: CauseFinding, called: str, evidence: list[str], common: dict[str, object]
    ) -> Diagnosis:
        column = finding.columns[0]
        kind = self.walk.kinds.get(column, "feature")
        actions = {
            "feature": f"Find out where {called} comes from on either side: it differs before any "
            "code of the artifact has run.",
            "step": f"Compare the code and the fitted state of step {finding.place} with what the "
            f"{self.names[1]} side ran.",
            "output": "Give the table features and step columns too; they show which step "
            "differs first.",
        }
        return Diagnosis(
            verdict="unknown",
            cause="unknown",
            sentence=f"The two sides first differ at {called}. The cause is unknown: no cause "
            "that was tried could be confirmed.",
            evidence=(
                *evidence,
                *facts(self.walk, finding.columns[0], called.strip("`"), self.names),
            ),
            action=actions[kind],
            **common,  # type: ignore[arg-type]
        )


def _iso(moment: float) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=moment)).isoformat()
