"""Findings, and reports of them."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from gnomon import leakage
from gnomon.errors import NewerFormat
from gnomon.leakage import LeakageEvidence, LeakageFinding, LeakageReport
from gnomon.leakage.finding import Severity


def finding(severity: Severity, check: str = "label") -> LeakageFinding:
    """A finding of some severity."""
    return LeakageFinding(
        check=check,
        features=("x",),
        severity=severity,
        sentence="it is so",
        evidence=LeakageEvidence(rows=7, hits=3, numbers={"seconds": 1.5}, examples=("row 1",)),
        action="look",
    )


def test_a_report_has_the_gravest_first() -> None:
    """Leak, suspect, unknown, note; checks that found nothing are listed."""
    severities: tuple[Severity, ...] = ("note", "suspect", "unknown", "leak")
    report = LeakageReport.of(
        9, {"label": [finding(s) for s in severities], "clock": []}, {"entities": "no key"}
    )
    assert [f.severity for f in report.findings] == ["leak", "suspect", "unknown", "note"]
    assert [f.severity for f in report.alarms] == ["leak", "suspect"]
    assert report.passed == ("clock",)
    assert report.skipped == {"entities": "no key"}


def test_two_reports_make_one() -> None:
    """A check that only one report skipped is not skipped."""
    first = LeakageReport.of(9, {"clock": []}, {"domain": "no log", "entities": "no key"})
    second = LeakageReport.of(5, {"domain": [finding("note", "domain")]}, {})
    both = first.and_then(second)
    assert (both.rows, both.passed, both.skipped) == (9, ("clock",), {"entities": "no key"})
    assert [f.check for f in both.findings] == ["domain"]


def test_a_report_is_read_as_it_was_written() -> None:
    """A report of another format is refused."""
    report = LeakageReport.of(9, {"label": [finding("leak")]}, {"clock": "no time"})
    assert LeakageReport.from_json(report.to_json()) == report
    later = msgspec.structs.replace(report, format=2)
    with pytest.raises(NewerFormat, match=r"format 2; .* reads up to 1 .*at checks\.json"):
        LeakageReport.from_json(later.to_json())


def test_every_public_name_is_there() -> None:
    """Each where the package says; a misspelt one fails as in any module."""
    assert all(getattr(leakage, name) is not None for name in leakage.__all__)
    with pytest.raises(AttributeError, match="check_leak"):
        _ = leakage.check_leak


def test_reading_findings_needs_no_data_library() -> None:
    """Neither pandas nor scikit-learn is imported for it."""
    program = (
        "import sys; from gnomon.leakage import LeakageReport; "
        "print({'pandas', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
