"""The result of a check of rows against a contract."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

from gnomon.notebook import NotebookTable, Tabular
from gnomon.quantities import plural

__all__ = ["CheckExample", "CheckFinding", "ContractReport", "Level", "Refusal", "Rule", "Verdict"]

Rule = Literal[
    "body",
    "type",
    "null",
    "domain",
    "range",
    "timezone",
    "missing",
    "unknown",
    "stale",
    "future",
    "unit",
]
Level = Literal["broken", "suspected", "allowed"]
Verdict = Literal["kept", "broken", "suspected", "unknown"]

LEVELS: tuple[Level, ...] = ("broken", "suspected", "allowed")


class CheckExample(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a finding.

    Attributes:
        row: its number in the table, from 0, or its request and row in the log.
        got: the value, as JSON.
        at: when it arrived, if that is known.
    """

    row: int | str
    got: str
    at: dt.datetime | None = None


class CheckFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of one feature, and the rows that break it.

    Attributes:
        feature: the feature's name, or that of an unknown column; ``$`` for a complete body.
        rule: which rule.
        level: ``broken``: a server refuses it, or its timestamp is too old or in the future.
            ``suspected``: the numbers look like another unit. ``allowed``: the contract accepts it.
        expected: what the contract says, in words.
        got: the most frequent values, as JSON, with their numbers of rows.
        rows: how many rows break the rule.
        of: how many rows were checked.
        share: ``rows`` divided by ``of``, 0 to 1.
        examples: the first such rows.
        first, last: when the first and the last arrived, if that is known.
        hint: what may be the cause, or what to do.
    """

    feature: str
    rule: Rule
    level: Level
    expected: str
    got: dict[str, int]
    rows: int
    of: int
    share: float
    examples: tuple[CheckExample, ...] = ()
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    hint: str | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of the log that the server refused for one reason.

    Attributes:
        code: the error's code.
        feature: the feature concerned; None if the body was refused.
        requests: how many requests.
        example: the first one's message.
        first, last: when the first and the last arrived.
    """

    code: str
    feature: str | None
    requests: int
    example: str
    first: dt.datetime
    last: dt.datetime


class ContractReport(Tabular, msgspec.Struct, frozen=True, kw_only=True):
    """Rows checked against a contract.

    Attributes:
        rows: how many rows were read.
        findings: the rules they violate: the worst first, then by number of rows.
        refusals: what the server refused, the most frequent first; only for a log.
        unchecked: what could not be checked, and why.
    """

    rows: int
    findings: tuple[CheckFinding, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """``unknown`` without rows; ``kept``; or the worst level found, ignoring ``allowed``."""
        levels = {finding.level for finding in self.findings}
        if "broken" in levels:
            return "broken"
        if not self.rows:
            return "unknown"
        return "suspected" if "suspected" in levels else "kept"

    def overview(self) -> NotebookTable:
        """Return the findings as :class:`gnomon.notebook.Tabular` describes."""
        return NotebookTable(
            title=f"{plural(len(self.findings), 'finding')} in {plural(self.rows, 'row')}",
            verdict=self.verdict,
            columns=("level", "feature", "rule", "expected", "got", "rows", "of", "share", "hint"),
            rows=[_described(finding) for finding in self.findings],
        )


def _described(finding: CheckFinding) -> tuple[object, ...]:
    return (
        *(finding.level, finding.feature, finding.rule, finding.expected, ", ".join(finding.got)),
        *(finding.rows, finding.of, finding.share, finding.hint),
    )
