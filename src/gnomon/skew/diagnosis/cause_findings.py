"""Findings before they are written as text: causes with their rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gnomon.skew.diagnosis.case import CONFIRMED, Case, Mask, Proposal
from gnomon.skew.diagnosis.causes import UNTOLD
from gnomon.skew.diagnosis.column_exchange import ColumnExchange, exchanges
from gnomon.skew.diagnosis.explain import Proof, explain
from gnomon.skew.diagnosis.root_divergences import Repairs, Root

__all__ = ["CauseFinding", "gather"]

_SAME_ROWS = 0.95


@dataclass(slots=True)
class CauseFinding:
    """One cause.

    Attributes:
        cause: its name; ``unknown`` when none was confirmed.
        place: the step; empty for features.
        columns: the columns it affects, the clearest first.
        finding: text about it; follows the left side's name and the first column's.
        undone: text on how it was undone.
        action: what to do about it.
        rows: rows that differ because of it.
        differing: rows that differ in the first column.
        vanished: of those, rows that agree once it is undone.
        tried: sentences about every cause that explained some rows.
        proof: how it was held against rows that it had not seen; None if it was tried otherwise.
        is_confirmed: it is a cause, and no other explains the rows as well. Else it describes how
            the sides differ.
        is_partial: rows that agree would not if it had been at work on them.
        rivals: texts like ``finding`` of what explains the rows as well.
        of_answers: it is visible only in the answers.
        was_tried: it was found by trying distortions: there are no values to repair it with.
        accounts: of the weighed rows, how many diverge because of it.
        moves: how far it moves the score on those rows.
    """

    cause: str
    place: str
    columns: list[str]
    finding: str
    undone: str
    action: str
    rows: Mask
    differing: int
    vanished: int
    tried: list[str] = field(default_factory=list)
    proposal: Proposal | None = None
    proof: Proof | None = None
    is_confirmed: bool = True
    is_partial: bool = False
    rivals: tuple[str, ...] = ()
    of_answers: bool = False
    was_tried: bool = False
    accounts: int | None = None
    moves: float | None = None

    @property
    def name(self) -> str:
        """The first column, without its step."""
        return self.columns[0].rpartition("/")[2] if self.place else self.columns[0]

    @property
    def proposal_of_one_side(self) -> bool:
        """Whether it says something of one side alone."""
        return self.proposal is not None and self.proposal.of_one_side

    @property
    def repairs(self) -> Repairs:
        """The columns to set to the other side's values in order to undo it."""
        names = frozenset(self.columns)
        if self.of_answers or self.was_tried:
            return Repairs()
        return Repairs(steps=names) if self.place else Repairs(features=names)


def gather(root: Root, names: tuple[str, str]) -> list[CauseFinding]:
    """Find the causes in one place: those of several columns together, then of each column."""
    findings: list[CauseFinding] = []
    together = exchanges(root.cases)
    moved = {name for exchange in together for name in exchange.columns}
    findings += [_exchange_finding(root, exchange, names) for exchange in together]
    for case in root.cases:
        if case.column not in moved:
            findings += _column_findings(root, case)
    return _merged(_of_one_clock(root, findings))


def _of_one_clock(root: Root, findings: Sequence[CauseFinding]) -> list[CauseFinding]:
    """Give the columns of a step the time zone that explains most of them.

    A month, or a day of the week, fits many clocks; that of the hour then explains it as well. A
    zone that contradicts it is not confirmed.
    """
    zones = [f for f in findings if f.cause == "time zone" and f.proposal and f.proposal.moved]
    if not zones:
        return list(findings)
    explained = [_columns_of_clock(root, finding.proposal) for finding in zones]
    best, columns = max(
        zip(zones, explained, strict=True),
        key=lambda pair: (len(pair[1]), UNTOLD not in pair[0].finding, pair[0].rows.sum()),
    )
    best.columns = [*dict.fromkeys((best.columns[0], *columns))]
    for case in root.cases:
        if case.column in columns:
            best.rows = best.rows | case.differs
    kept = [best]
    for finding in findings:
        if finding is best or finding.columns[0] in columns:
            continue
        if finding.cause == "time zone" and finding.finding != best.finding:
            finding.rivals = (*finding.rivals, f"{best.finding}, like `{best.name}`")
            finding.is_confirmed = False
        kept.append(finding)
    return kept


def _columns_of_clock(root: Root, proposal: Proposal | None) -> list[str]:
    """Return the columns whose differences vanish when a timestamp is moved to another clock."""
    assert proposal is not None
    assert proposal.moved is not None
    feature, times = proposal.moved
    places = np.arange(len(times))
    explained = []
    for case in root.cases:
        if case.moved is None or not case.is_numeric:
            continue
        moved = case.moved(feature, places, times)
        agree = case.near(moved, case.right_numbers) | (np.isnan(moved) & case.right_null)
        sides = (case.differs, case.agrees)
        if all((of & ~agree).sum() <= (1 - CONFIRMED) * of.sum() for of in sides):
            explained.append(case.column)
    return explained


def _column_findings(root: Root, case: Case) -> list[CauseFinding]:
    explanation = explain(case)
    differing = int(case.differs.sum())
    bare = case.column.rpartition("/")[2] if root.place else case.column
    tried = [
        f"{p.undone}, `{bare}` agrees on {n:,} of the {of:,} rows that differed."
        for p, n, of in explanation.tried
    ]
    findings = [
        CauseFinding(
            cause=found.proposal.cause,
            place=root.place,
            columns=[case.column],
            finding=found.proposal.finding,
            undone=found.proposal.undone,
            action=found.proposal.action,
            rows=found.rows,
            differing=differing
            if explanation.is_whole and len(explanation.found) == 1
            else int(found.rows.sum()),
            vanished=int(found.rows.sum()),
            tried=tried,
            proposal=found.proposal,
            proof=found.proof,
            is_confirmed=found.is_confirmed,
            is_partial=not found.is_everywhere,
            rivals=tuple(rival.finding for rival in found.rivals),
        )
        for found in explanation.found
    ]
    if not explanation.is_whole:
        findings.append(_unknown_finding(root, case, explanation.rest, tried))
    return findings


def _unknown_finding(root: Root, case: Case, rows: Mask, tried: list[str]) -> CauseFinding:
    return CauseFinding(
        cause="unknown",
        place=root.place,
        columns=[case.column],
        finding="",
        undone="",
        action="",
        rows=rows,
        differing=int(rows.sum()),
        vanished=0,
        tried=tried,
    )


def _exchange_finding(root: Root, exchange: ColumnExchange, names: tuple[str, str]) -> CauseFinding:
    cases = {case.column: case for case in root.cases}
    columns = list(exchange.columns)
    rows = np.zeros(len(cases[columns[0]].differs), dtype=bool)
    for name in columns:
        rows |= cases[name].differs
    source = exchange.columns[columns[0]]
    first = source.rpartition("/")[2] if root.place else source
    actions = {
        "column order": "Pass columns by name, never by position.",
        "category code order": "Take the encoder's categories from the artifact, in its order, on "
        "both sides.",
        "date format": "Send ISO 8601 dates, and parse with an explicit format.",
    }
    return CauseFinding(
        cause=exchange.cause,
        place=root.place,
        columns=columns,
        finding=f"has the values that `{first}` has {names[1]}"
        + (
            ", and the other way round"
            if len(columns) == 2
            else f", and {len(columns)} columns are exchanged in a cycle"
        ),
        undone="With the columns exchanged back",
        action=actions[exchange.cause],
        rows=rows,
        differing=int(rows.sum()),
        vanished=int(exchange.restored.sum()),
    )


def _merged(findings: Sequence[CauseFinding]) -> list[CauseFinding]:
    """Merge the findings of one step, or of features that differ on the same rows."""
    merged: list[CauseFinding] = []
    for finding in findings:
        same = next((other for other in merged if _is_same(finding, other)), None)
        if same is None:
            merged.append(finding)
        else:
            same.columns += [name for name in finding.columns if name not in same.columns]
            same.rows = same.rows | finding.rows
    return merged


def _is_same(left: CauseFinding, right: CauseFinding) -> bool:
    if left.cause != right.cause or left.is_confirmed != right.is_confirmed:
        return False
    if (left.place or left.cause == "float noise") and left.cause != "unknown":
        return True
    shared = (left.rows & right.rows).sum()
    return bool(shared >= _SAME_ROWS * max(left.rows.sum(), right.rows.sum(), 1)) and (
        left.cause in ("missing feature", "time zone", "unknown", "temporal leakage")
    )
