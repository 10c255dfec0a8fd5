"""The findings of the checks: the features, the severity, the evidence, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from gnomon.formats import Format, decode
from gnomon.leakage.measures import Estimate
from gnomon.notebook import NotebookTable, Tabular
from gnomon.quantities import plural

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
"""``leak``: the rows prove it. ``suspect``: it looks like a leak, and a person who knows the data
must decide. ``unknown``: too few rows to decide. ``note``: useful to know, but not a leak."""

_COLUMNS = (
    *("severity", "check", "features", "finding"),
    *("rows", "hits", "measure", "value", "action"),
)
_ORDER: dict[Severity, int] = {"leak": 0, "suspect": 1, "unknown": 2, "note": 3}


class LeakageWarning(UserWarning):
    """Training data has information that the model will not have at serving time."""


class LeakageEvidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The evidence of a finding.

    Attributes:
        rows: how many rows were examined.
        hits: how many of them are affected.
        measure: the name of the measure: ``AUC``, ``R2``, ``share of rows``.
        value: the value of the measure on these rows.
        low: the lower end of the interval of the true value.
        high: the upper end of the interval.
        confidence: the confidence of the interval.
        numbers: other counts and quantities, by name.
        examples: affected rows, as text.
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
        """Build evidence from an estimate with its interval."""
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
    """One finding of a check.

    Attributes:
        check: the name of the check, as in ``docs/leakage.md``.
        features: the columns it is about; empty if it is about entire rows.
        severity: how serious and how certain it is.
        sentence: the finding in a sentence.
        evidence: the numbers behind it.
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
        """Whether a warning is given for it: it is a leak, or looks like one."""
        return self.severity in ("leak", "suspect")


class LeakageReport(Tabular, msgspec.Struct, frozen=True, kw_only=True):
    """The findings of the checks, with the checks that passed or did not run.

    Attributes:
        format: the version of this format; see ``docs/formats.md`` before changing it.
        rows: the number of training rows.
        findings: the findings, most severe first.
        passed: checks that ran and found nothing.
        skipped: checks that did not run, with the reason.
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
        """Build a report from the findings of each check."""
        findings = [finding for of_check in found.values() for finding in of_check]
        return cls(
            rows=rows,
            findings=tuple(sorted(findings, key=lambda finding: _ORDER[finding.severity])),
            passed=tuple(check for check, of_check in found.items() if not of_check),
            skipped=dict(skipped),
        )

    def to_json(self) -> bytes:
        """Return the report as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, content: bytes, where: str = "checks.json") -> LeakageReport:
        """Read a report that :meth:`to_json` wrote; ``where`` is its name in errors.

        Raises:
            NewerFormat: a newer version of Gnomon wrote it.
            UnreadableFile: it is not such a report.
        """
        return decode(content, cls, _KIND, where)

    @property
    def verdict(self) -> Literal["leak", "suspect", "unknown", "ok"]:
        """The severity of the worst finding; ``ok`` if there is none but notes."""
        severity = self.findings[0].severity if self.findings else "note"
        return "ok" if severity == "note" else severity

    @property
    def alarms(self) -> tuple[LeakageFinding, ...]:
        """The findings for which a warning is given."""
        return tuple(finding for finding in self.findings if finding.alarming)

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        return NotebookTable(
            title=f"{plural(len(self.findings), 'finding')} "
            f"in {plural(self.rows, 'training row')}; "
            f"nothing found by: {', '.join(self.passed) or 'no check'}",
            verdict=self.verdict,
            columns=_COLUMNS,
            rows=[_overview_row(finding) for finding in self.findings],
        )

    def and_then(self, other: LeakageReport) -> LeakageReport:
        """Merge two reports; a check that only one of them skipped is not skipped."""
        findings = sorted((*self.findings, *other.findings), key=lambda f: _ORDER[f.severity])
        completed = {*self.passed, *other.passed, *(finding.check for finding in findings)}
        skipped = {**other.skipped, **self.skipped}
        return LeakageReport(
            rows=self.rows,
            findings=tuple(findings),
            passed=(*self.passed, *other.passed),
            skipped={check: why for check, why in skipped.items() if check not in completed},
        )


def _overview_row(finding: LeakageFinding) -> tuple[object, ...]:
    evidence = finding.evidence
    return (
        *(finding.severity, finding.check, ", ".join(finding.features), finding.sentence),
        *(evidence.rows, evidence.hits, evidence.measure, evidence.value, finding.action),
    )


def unknown(
    check: str, sentence: str, rows: int, action: str, features: tuple[str, ...] = ()
) -> LeakageFinding:
    """Build an inconclusive finding, for too few rows."""
    return LeakageFinding(
        check=check,
        features=features,
        severity="unknown",
        sentence=sentence,
        evidence=LeakageEvidence(rows=rows),
        action=action,
    )
