"""What a check found: which feature, how sure, the evidence, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from gnomon.formats import Format, decode
from gnomon.leakage.measures import Estimate
from gnomon.notebook import NotebookTable, Tabular

__all__ = [
    "LeakageEvidence",
    "LeakageFinding",
    "LeakageReport",
    "LeakageWarning",
    "Severity",
    "unknown",
]

FORMAT = 1

_KIND = Format("list of leakage checks", FORMAT, hint="pack again, or restore it from a backup")

Severity = Literal["leak", "suspect", "unknown", "note"]
"""``leak``: the rows prove it. ``suspect``: it looks like one, and a person who knows the data has
to say. ``unknown``: too few rows to tell. ``note``: good to know, and no leak by itself."""

_COLUMNS = (
    *("severity", "check", "features", "finding"),
    *("rows", "hits", "measure", "value", "action"),
)
_ORDER: dict[Severity, int] = {"leak": 0, "suspect": 1, "unknown": 2, "note": 3}


class LeakageWarning(UserWarning):
    """Training data that tells a model what it will not know when it serves."""


class LeakageEvidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a finding rests on.

    Attributes:
        rows: how many rows were looked at.
        hits: how many of them show it.
        measure: what ``value`` is: ``AUC``, ``R2``, ``share of rows``.
        value: the measure, as these rows have it.
        low: where the true value lies, at ``confidence``.
        high: and up to where.
        confidence: of ``low`` and ``high``.
        numbers: other counts and quantities, by name.
        examples: rows that show it, for people.
    """

    rows: int
    hits: int | None = None
    measure: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    numbers: dict[str, float] = {}
    examples: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        estimate: Estimate,
        *,
        hits: int | None = None,
        numbers: Mapping[str, float] | None = None,
        examples: Iterable[str] = (),
    ) -> LeakageEvidence:
        """Evidence that is an estimate with its interval."""
        return cls(
            rows=estimate.rows,
            hits=hits,
            measure=estimate.measure,
            value=estimate.value,
            low=estimate.low,
            high=estimate.high,
            confidence=estimate.confidence,
            numbers=dict(numbers or {}),
            examples=tuple(examples),
        )


class LeakageFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a check found.

    Attributes:
        check: which check, as ``docs/leakage.md`` lists them.
        features: the columns it is about; empty if it is about whole rows.
        severity: how sure it is.
        sentence: the finding, for people.
        evidence: what it rests on.
        action: what to do about it.
    """

    check: str
    features: tuple[str, ...]
    severity: Severity
    sentence: str
    evidence: LeakageEvidence
    action: str

    @property
    def alarming(self) -> bool:
        """Whether it is warned about: it is a leak, or looks like one."""
        return self.severity in ("leak", "suspect")


class LeakageReport(Tabular, msgspec.Struct, frozen=True, kw_only=True):
    """What the checks found, and which of them found nothing.

    Attributes:
        format: the version of this format; see ``docs/formats.md`` before changing it.
        rows: rows of the training data.
        findings: the most severe first.
        passed: checks that ran and found nothing.
        skipped: checks that did not run, and why.
    """

    format: int = FORMAT
    rows: int
    findings: tuple[LeakageFinding, ...]
    passed: tuple[str, ...]
    skipped: dict[str, str]

    @classmethod
    def of(
        cls, rows: int, found: Mapping[str, list[LeakageFinding]], skipped: Mapping[str, str]
    ) -> LeakageReport:
        """A report of what each check found."""
        findings = [finding for some in found.values() for finding in some]
        return cls(
            rows=rows,
            findings=tuple(sorted(findings, key=lambda finding: _ORDER[finding.severity])),
            passed=tuple(check for check, some in found.items() if not some),
            skipped=dict(skipped),
        )

    def to_json(self) -> bytes:
        """As indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, content: bytes, where: str = "checks.json") -> LeakageReport:
        """What :meth:`to_json` wrote; errors call it ``where``.

        Raises:
            NewerFormat: a newer version of Gnomon wrote it.
            UnreadableFile: it is not that.
        """
        return decode(content, cls, _KIND, where)

    @property
    def alarms(self) -> tuple[LeakageFinding, ...]:
        """The findings that are warned about."""
        return tuple(finding for finding in self.findings if finding.alarming)

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        return NotebookTable(
            title=f"{len(self.findings)} findings in {self.rows:,} training rows; "
            f"nothing found by: {', '.join(self.passed) or 'no check'}",
            verdict=self.findings[0].severity if self.findings else "none found",
            columns=_COLUMNS,
            rows=[_described(finding) for finding in self.findings],
        )

    def and_then(self, other: LeakageReport) -> LeakageReport:
        """Both reports as one; a check that only one of them skipped is not skipped."""
        findings = sorted((*self.findings, *other.findings), key=lambda f: _ORDER[f.severity])
        done = {*self.passed, *other.passed, *(finding.check for finding in findings)}
        skipped = {**other.skipped, **self.skipped}
        return LeakageReport(
            rows=self.rows,
            findings=tuple(findings),
            passed=(*self.passed, *other.passed),
            skipped={check: why for check, why in skipped.items() if check not in done},
        )


def _described(finding: LeakageFinding) -> tuple[object, ...]:
    seen = finding.evidence
    return (
        *(finding.severity, finding.check, ", ".join(finding.features), finding.sentence),
        *(seen.rows, seen.hits, seen.measure, seen.value, finding.action),
    )


def unknown(
    check: str, sentence: str, rows: int, action: str, features: tuple[str, ...] = ()
) -> LeakageFinding:
    """That it is inconclusive, because there are too few rows."""
    return LeakageFinding(
        check=check,
        features=features,
        severity="unknown",
        sentence=sentence,
        evidence=LeakageEvidence(rows=rows),
        action=action,
    )
