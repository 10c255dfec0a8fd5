"""Benchmarks run rarely, so what they import is checked here."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_what_benchmarks_import_of_gnomon_exists() -> None:
    """A module that was moved or renamed must reach them."""
    named = {
        node.module
        for path in (ROOT / "benchmarks").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    ours = sorted(name for name in named if name.partition(".")[0] == "gnomon")
    assert len(ours) > 30
    assert [name for name in ours if find_spec(name) is None] == []


def test_the_judge_of_the_diagnosis_keeps_its_rules() -> None:
    """A right name on a right column is right; a wrong factor, column or name is wrong."""
    from benchmarks.skew.judge import judge
    from benchmarks.skew.truth import Claim, Truth
    from gnomon.report import Diagnosis

    def said(cause: str, sentence: str, column: str = "fare", verdict: str = "confirmed", *also):  # type: ignore[no-untyped-def]
        return Diagnosis(
            verdict=verdict,  # type: ignore[arg-type]
            column=column,
            step="",
            cause=cause,
            sentence=sentence,
            also=also,
        )

    unit = Truth("", ("fare",), ("unit change",), (Claim(numbers=(100.0,)),), factor=100.0)
    digits = Truth("", ("fare",), ("rounding",), (Claim(words=("one decimal",)),))
    clipped = Truth("", ("fare",), (), (Claim(words=("never above|at most",), numbers=(85.0,)),))
    right = said("unit change", "Online `fare` is 0.01 times offline.")
    both = said("unit change", "Online `fare` is 100 times offline, with one decimal.")
    cases = [
        (right, [unit], "right"),
        (said("unit change", "Online `fare` is in another unit."), [unit], "half"),
        (said("unit change", "Online `fare` is 10 times offline."), [unit], "wrong"),
        (said("unit change", "Online is 100 times offline.", "dist"), [unit], "wrong"),
        (said("locale", "Online `fare` has lost its comma."), [unit], "wrong"),
        (said("unknown", "Nothing fits.", "fare", "unknown"), [unit], "unknown"),
        (
            said("described", "Online is never above 85.2.", "fare", "described"),
            [clipped],
            "truthful",
        ),
        (said("described", "Online is never above 90.", "fare", "described"), [clipped], "half"),
        (both, [unit, digits], "right"),
        (right, [unit, digits], "half"),
        (right, [], "false alarm"),
        (None, [], "right"),
        (None, [unit], "no divergence"),
    ]
    for found, truths, outcome in cases:
        assert judge(found, truths).outcome == outcome, (found, outcome)
    wrong_as_well = said(
        "unit change",
        "Online `fare` is 100 times offline.",
        "fare",
        "confirmed",
        said("rounding", "Online `dist` has one decimal.", "dist"),
    )
    assert judge(wrong_as_well, [unit]).confirmed


def test_the_judge_checks_a_bound_on_the_rows() -> None:
    """Never above 85 is false where a row is."""
    import pandas as pd

    from benchmarks.skew.judge import judge
    from benchmarks.skew.truth import Claim, Truth
    from gnomon.report import Diagnosis

    clipped = Truth("", ("fare",), (), (Claim(words=("never above",)),))
    found = Diagnosis(
        verdict="described",  # type: ignore[arg-type]
        column="fare",
        step="",
        cause="clipping",
        sentence="Online `fare` is never above 85; offline goes to 104.",
    )
    offline = pd.DataFrame({"fare": [80.0, 104.0]})
    assert judge(found, [clipped], offline.clip(upper=85), offline).outcome == "truthful"
    assert judge(found, [clipped], offline, offline).outcome == "wrong"


def test_the_judge_reads_numbers_and_durations() -> None:
    """Thousands, words and clock times."""
    from benchmarks.skew.judge import minutes_in, numbers_in

    assert numbers_in("1,000 times; 0.5 or a hundredth") == [1000.0, 0.5, 0.01]
    assert 570.0 in minutes_in("9 hours and 30 minutes later")
    assert 570.0 in minutes_in("9.5 hours")
    assert set(minutes_in("17 minutes")) == {17.0}
