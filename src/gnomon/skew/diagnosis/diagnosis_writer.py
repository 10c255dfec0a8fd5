"""Write a finding as text, and decide whether it is confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gnomon.compare.comparators import compare
from gnomon.offline.rerun import Rerun
from gnomon.quantities import count, plural, rows
from gnomon.report import Diagnosis, Share, share
from gnomon.skew.consistency.reported_columns import only
from gnomon.skew.diagnosis.cause_findings import CauseFinding
from gnomon.skew.diagnosis.observations import facts
from gnomon.skew.diagnosis.replaced_inputs import hours, with_hours
from gnomon.skew.diagnosis.shared_values import SharedValue, segment, since
from gnomon.skew.diagnosis.traced_rows import TracedRows

__all__ = ["WEIGHED", "DiagnosisWriter"]

WEIGHED = 2_000
"""How many rows are used to measure how much each cause accounts for."""


@dataclass(frozen=True, slots=True)
class DiagnosisWriter:
    """Writes the findings about traced rows as text.

    Attributes:
        traced: the rows.
        rerun: runs the artifact on the left.
        names: the names of the two sides.
        confidence: the confidence of intervals.
        evidence: sentences about all the rows.
    """

    traced: TracedRows
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
        where = segment(
            finding.rows,
            self.traced.inputs,
            self.traced.sample.pairs.about,
            self.traced.sample.weights,
            but=frozenset(f"`{name}`" for name in finding.columns),
        )
        common = self._common(finding, where)
        evidence = [*self.evidence, *finding.tried]
        in_doubt = unsure and (bool(finding.place) or finding.of_answers)
        if finding.cause != "unknown" and (not in_doubt or finding.cause == "float noise"):
            write = self._confirmed if finding.is_confirmed else self._described
            return write(finding, where, evidence, common)
        if where is not None and finding.cause == "unknown" and finding.accounts and not unsure:
            return self._segment_local(finding, where, evidence, common)
        return self._unknown(finding, evidence, common)

    def _common(self, finding: CauseFinding, where: SharedValue | None) -> dict[str, object]:
        """Return the fields that every diagnosis of this finding has."""
        start = since(finding.rows, hours(self.traced.sample.pairs.about.column("time")))
        return {
            "column": finding.columns[0],
            "step": finding.place,
            "columns": tuple(finding.columns[1:]),
            "accounts": None if finding.accounts is None else self._share(finding.accounts),
            "moves": finding.moves,
            "segment": where.text if where else None,
            "since": None if start is None else _iso(start),
        }

    def _share(self, accounts: int) -> Share:
        """Return the share of the weighed rows for which a cause accounts."""
        weighed = min(int(self.traced.sample.diverged.sum()), WEIGHED)
        return share(min(accounts, weighed), weighed, self.confidence)

    def _confirmed(
        self,
        finding: CauseFinding,
        where: SharedValue | None,
        evidence: list[str],
        common: dict[str, object],
    ) -> Diagnosis:
        if not finding.tried:
            evidence.append(
                f"{finding.undone}, `{finding.name}` agrees on {count(finding.vanished)} of the "
                f"{rows(finding.differing)} that differed."
            )
        evidence += _held(finding)
        evidence += self._evidence_of_moved_time(finding)
        return Diagnosis(
            verdict="confirmed",
            cause=finding.cause,
            sentence=self._sentence(finding, where, common["since"]),
            evidence=tuple(evidence),
            action=finding.action,
            repaired=share(finding.vanished, finding.differing, self.confidence),
            **common,  # type: ignore[arg-type]
        )

    def _sentence(
        self, finding: CauseFinding, where: SharedValue | None, start: object = None
    ) -> str:
        """Say how the sides differ, and where."""
        more = plural(len(finding.columns) - 1, "more column")
        also = f" ({more} likewise)" if len(finding.columns) > 1 else ""
        says = f"{self.names[0].capitalize()} `{finding.name}` {finding.finding}{also}."
        if where is not None:
            return f"{says} This holds where {where.text}."
        if finding.is_partial and not finding.proposal_of_one_side:
            on, of = int(finding.rows.sum()), len(finding.rows)
            return f"{says} This holds on {count(on)} of the {rows(of)} that were traced" + (
                ", which share no value." if start is None else "."
            )
        return says

    def _described(
        self,
        finding: CauseFinding,
        where: SharedValue | None,
        evidence: list[str],
        common: dict[str, object],
    ) -> Diagnosis:
        """Say how the sides differ where the cause is not known, or one of several."""
        sentence = self._sentence(finding, where, common["since"])
        if finding.rivals:
            others = "; or it ".join(finding.rivals)
            sentence += f" The rows cannot tell this from another explanation: it {others}."
        else:
            sentence += " Its cause is unknown."
        return Diagnosis(
            verdict="described",
            cause=finding.cause,
            sentence=sentence,
            evidence=(*evidence, *_held(finding)),
            action=finding.action,
            repaired=share(finding.vanished, finding.differing, self.confidence),
            **common,  # type: ignore[arg-type]
        )

    def _segment_local(
        self,
        finding: CauseFinding,
        where: SharedValue,
        evidence: list[str],
        common: dict[str, object],
    ) -> Diagnosis:
        """Say that the sides differ only in one segment, where no cause is known."""
        return Diagnosis(
            verdict="described",
            cause="segment-local skew",
            sentence=f"{self.names[0].capitalize()} `{finding.name}` differs only where "
            f"{where.text}: {rows(int(finding.rows.sum()))}, {where.inside:.0%} of those there. "
            f"How it was changed is unknown; set to its {self.names[1]} values, answers agree.",
            evidence=(
                *evidence,
                *facts(self.traced, finding.columns[0], finding.name, self.names),
            ),
            action=f"Find out what is done differently where {where.text}.",
            repaired=self._share(finding.accounts or 0),
            **common,  # type: ignore[arg-type]
        )

    def _evidence_of_moved_time(self, finding: CauseFinding) -> Iterator[str]:
        """If a timestamp was moved, count the answers that agree with it moved."""
        rules = only(self.traced.rules, self.traced.of_kind("output"))
        if finding.proposal is None or finding.proposal.moved is None or not rules.comparators:
            return
        answers = self.rerun.score(with_hours(self.traced.inputs, *finding.proposal.moved))
        diverged = self.traced.sample.diverged
        restored = int((compare(answers, self.traced.right, rules).agreed & diverged).sum())
        of = rows(int(diverged.sum()))
        yield f"The outputs then agree on {count(restored)} of the {of} that diverged."

    def _unknown(
        self, finding: CauseFinding, evidence: list[str], common: dict[str, object]
    ) -> Diagnosis:
        column, called = finding.columns[0], f"`{finding.name}`"
        kind = self.traced.kinds.get(column, "feature")
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
            evidence=(*evidence, *facts(self.traced, column, finding.name, self.names)),
            action=actions[kind],
            **common,  # type: ignore[arg-type]
        )


def _held(finding: CauseFinding) -> Iterator[str]:
    """Say on how many rows a cause holds that it was not fitted on."""
    proof = finding.proof
    if proof is None:
        return
    kept = (
        "It changes none of the rows that agree"
        if proof.kept == proof.agreeing
        else f"{count(proof.agreeing - proof.kept)} of the {rows(proof.agreeing)} that agree would "
        "differ with it, so it did not affect them"
    )
    yield (
        f"Found on {count(proof.seen)} of the rows that differ, it holds on "
        f"{count(proof.predicted)} of the {count(proof.unseen)} others."
        + (f" {kept}." if proof.agreeing else "")
    )


def _iso(hours_since_1970: float) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hours_since_1970)).isoformat()
