"""The page of a drift report, from a report written by hand."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from gnomon.drift import to_html
from gnomon.drift.drift_document import drift_document
from gnomon.drift.drift_report import (
    Alert,
    DriftBucket,
    DriftColumn,
    DriftReport,
    Effect,
    Shape,
)
from gnomon.drift.drift_summary import METRICS
from gnomon.report.document import Table
from gnomon.report.model import Axis, Subject, Summary
from tests.service.browser import browse, needs_browser

EFFECT = Effect(value=5.719, limit=0.25, floor=0.175, verdict="drifted")
ASKED = DriftColumn(
    kind="input",
    name="asked_at",
    rows=6_060,
    training_rows=4_000,
    verdict="drifted",
    judged=False,
    why="it is the event time",
    effects=dict.fromkeys(METRICS, EFFECT),
    worst="psi",
    nulls=(0.0, 0.0),
    shape=Shape(training=(1, 1), serving=(1, 1), edges=(1.7e9,)),
    is_time=True,
    quantiles={"p50": (1_789_999_123.0, 1_791_699_123.0)},
)
RISEN = DriftColumn(
    kind="output",
    name="probability",
    rows=6_060,
    training_rows=4_000,
    verdict="drifted",
    judged=True,
    effects={"psi": EFFECT},
    worst="psi",
    nulls=(0.0, 0.0),
    shape=Shape(training=(1, 1), serving=(1, 1), edges=(0.5,)),
    quantiles={"p50": (0.784449, 0.73615)},
    timeline=tuple(
        DriftBucket(
            start=f"2026-11-28T0{hour}:00:00+00:00",
            end=f"2026-11-28T0{hour + 1}:00:00+00:00",
            rows=600,
            values={"psi": 0.5},
            verdict="drifted",
        )
        for hour in range(2)
    ),
)


def report(*alerts: Alert) -> DriftReport:
    return DriftReport(
        created="2026-12-01T00:00:00+00:00",
        title="1 of 1 columns drifted",
        summary=Summary(what="", where="", since="", how_many="", how_sure="", action=""),
        subject=Subject(model="loans", artifact="loans:1", digest="0" * 64, role="live"),
        policy="0" * 12,
        verdict="drifted",
        rows=6_060,
        traced=0,
        axis=Axis(label="asked_at"),
        seconds=3_600.0,
        columns=(ASKED, RISEN),
        alerts=alerts,
    )


def alert(change: str) -> Alert:
    return Alert(
        kind="output", name="probability", change=change, metric="psi",  # type: ignore[arg-type]
        effect=EFFECT, since="2026-11-28T01:00:00+00:00", before=3_634, after=2_426,
        largest_increase="0.9 and above",
    )  # fmt: skip


@needs_browser
@pytest.mark.slow
def test_no_table_is_wider_than_the_page(tmp_path: Path) -> None:
    """On a desktop, every metric and the medians of a column of times fit beside each other."""
    measure = (
        "this.title = [...this.contentDocument.querySelectorAll('.scroll')]"
        ".map((one) => one.scrollWidth - one.clientWidth).join()"
    )
    path = tmp_path / "page.html"
    path.write_text(
        f'<iframe style="width:1200px;height:900px;border:0" '
        f'srcdoc="{html.escape(to_html(report()))}" onload="{measure}"></iframe>'
    )
    widths = re.findall(r'title="([\d,]+)"', browse(f"file://{path}", tmp_path / "profile"))
    assert [set(each.split(",")) for each in widths] == [{"0"}]


def test_the_limit_is_drawn_over_the_bars_and_not_in_their_colour() -> None:
    """It is in the ink of the text, with an edge in the colour of the paper."""
    page = to_html(report())
    over_time = page[page.index("PSI over time") :]
    assert over_time.index('class="bar-bad"') < over_time.index('class="limit-edge"')
    assert ".limit-edge { stroke: var(--card);" in page
    assert "dashed is the limit" in page


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("sudden", "3,634 rows before, 2,426 rows since"),
        ("slow", "3,634 rows at the beginning of the range, 2,426 rows at its end"),
    ],
)
def test_a_change_says_which_rows_are_counted(change: str, says: str) -> None:
    """A slow one compares the ends of the range, not all rows since."""
    sections = drift_document(report(alert(change))).sections
    [table] = next(s.blocks for s in sections if s.title == "Changes within the range")
    assert isinstance(table, Table)
    assert table.rows[0].cells[2].below == (f"0.9 and above; {says}",)
