"""Which half of another artifact makes the difference, in words and in a report."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gnomon.report import HalfEffect, Halves, to_html
from gnomon.report.halves import which_half
from tests.report.example import a_report

HALVES = Halves(
    makes="preprocessing",
    preprocessing=HalfEffect(artifact="m:1-on-2", alone=398, mean_change=0.03, unanswered=5),
    model=HalfEffect(artifact="m:2-on-1", alone=2),
    differ=400,
    either=0,
    together=0,
    cancelled=7,
    unstable=3,
    mean_change=0.031,
)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "Its preprocessing makes the difference"),
        ({"makes": "model"}, "Its model makes the difference"),
        ({"makes": "both"}, "Neither half alone makes the difference in all rows"),
        ({"makes": "few"}, "Too few rows differ to name a half"),
        ({"makes": "none"}, "There is no difference to explain"),
    ],
)
def test_the_half_is_named_only_if_it_is_known(changes: dict[str, Any], says: str) -> None:
    """With the counts that it rests on."""
    said, counts = which_half(replace(HALVES, **changes))
    assert said == says
    assert counts == (
        "Of 400 rows that differ, 398 differ only with its preprocessing, 2 only with its model, "
        "0 with either one of them, and 0 only with both together."
    )


def test_a_report_shows_every_count() -> None:
    """Also of rows that answer for neither half, and the artifact that each half was run as."""
    page = to_html(replace(a_report(), halves=HALVES))
    for text in (
        "Which half makes the difference",
        "Its preprocessing makes the difference",
        "398",
        "m:1-on-2",
        "0.03",
        "agree with both, but not with one half alone",
        "not counted: run again, the artifact itself differs from the log",
        "refused or failed with its preprocessing alone",
    ):
        assert text in page
    assert "refused or failed with its model alone" not in page
    assert "Which half" not in to_html(a_report())
