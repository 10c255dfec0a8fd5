"""Checking files for leakage, and what `gnomon inspect` shows of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.running import Shell
from tests.packing import SCRIPT, Pack, times


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """Trips, whether they were slow, and a fee that was charged after."""
    random = np.random.default_rng(8)
    frame = pd.DataFrame({"miles": random.normal(size=400), "rain": random.normal(size=400)})
    frame["at"] = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.arange(400), unit="h")
    frame["charged"] = frame["at"] + pd.Timedelta("1D")
    frame["slow"] = frame["miles"] + random.normal(size=400) > 0
    frame["fee"] = frame["slow"] * 5
    frame.to_parquet(tmp_path / "train.parquet")
    return tmp_path / "train.parquet"


WORDS = ("--label", "slow", "--event-time", "at")


def test_findings_are_told_with_what_to_do(shell: Shell, train: Path) -> None:
    """Exit code 1; the checks that were skipped are listed too."""
    text = shell(
        "leakage", str(train), *WORDS, "--known-at", "fee=charged", expect=1, COLUMNS="100"
    ).out
    for words in (
        "Leakage: 2 proven",
        "✗ leak",
        "`fee` is known only after the prediction (`charged`, against `at`) in 400 of 400 rows",
        "`fee` is the label under other names",
        "→ leave `fee` out of the features",
        "400 training rows; checks that found nothing: identifier, row order",
        "score gap: not checked, no artifact was given",
    ):
        assert words in " ".join(text.split()), words


def test_healthy_rows_exit_with_0(shell: Shell, train: Path, tmp_path: Path) -> None:
    """The split is checked when there is a holdout."""
    rows = pd.read_parquet(train).drop(columns=["fee", "charged"])
    rows[:300].to_csv(tmp_path / "first.csv", index=False)
    rows[300:].to_csv(tmp_path / "second.csv", index=False)
    done = shell("leakage", "first.csv", *WORDS, "--holdout", "second.csv", "--json")
    assert done.json["findings"] == []
    assert "time overlap" in done.json["passed"]
    assert "Leakage: none found" in shell("leakage", "first.csv", *WORDS).out


@pytest.mark.slow
def test_an_artifact_is_asked_for_its_scores(shell: Shell, pack: Pack, tmp_path: Path) -> None:
    """Its contract defines the features; without a log there are no served rows."""
    tag = pack(times(1))
    x = np.random.default_rng(9).normal(size=600)
    rows = pd.DataFrame({"x": x, "id": [f"e{n}" for n in range(600)], "y": x})
    rows["y"] += np.random.default_rng(10).normal(0, 0.5, 600)
    rows[:300].to_csv(tmp_path / "train.csv", index=False)
    rows[300:].to_csv(tmp_path / "later.csv", index=False)
    words = ("--label", "y", "--artifact", tag, "--later", "later.csv", "--json")
    report = shell("leakage", "train.csv", *words).json
    assert "score gap" in report["passed"]
    assert "no log" in report["skipped"]["domain"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--label", "gone"), "no column `gone`"),
        (("--known-at", "fee"), "FEATURE=COLUMN"),
        (("--holdout", "nowhere.csv"), "--holdout takes the path of a CSV or Parquet file"),
        (("--later", "nowhere.csv"), "--later takes the path of a CSV or Parquet file"),
    ],
)
def test_what_cannot_be_done_is_a_plain_error(
    shell: Shell, train: Path, words: tuple[str, ...], message: str
) -> None:
    """Exit code 2, never 1: nothing was looked for."""
    assert message in shell("leakage", str(train), *words, expect=2).err


UNSEEDED = SCRIPT.replace(
    "make_pipeline(Times(), LinearRegression(fit_intercept=False))",
    "Pipeline([('times', Times()), ('forest', RandomForestRegressor(3))])",
).replace(
    "pipeline[-1].coef_ = np.array([1.0])",
    "",
)
IMPORTS = """
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import Pipeline
"""


@pytest.mark.slow
def test_inspect_shows_what_packing_found(shell: Shell, pack: Pack) -> None:
    """The toy's target is its x, and its forest has no seed."""
    tag = pack(times(1), "unseeded", IMPORTS + UNSEEDED)
    text = " ".join(shell("inspect", tag).out.split())
    for words in (
        "Leakage",
        "`x` is the label in another unit: in all 64 rows each determines the other",
        "`id` identifies its rows, and its order predicts the label",
        "leakage 2 proven; looked for",
        "forest__random_state=none, although it uses random numbers",
    ):
        assert words in text, words
    document = shell("inspect", tag, "--json").json
    assert [finding["check"] for finding in document["leakage"]["findings"][:2]] == [
        "identifier",
        "label",
    ]


def test_a_suspicion_alone_exits_with_1(shell: Shell, train: Path, tmp_path: Path) -> None:
    """Exit code 1 for a suspicion, such as a holdout that overlaps training in time."""
    rows = pd.read_parquet(train).drop(columns=["fee", "charged"])
    rows[::2].to_csv(tmp_path / "first.csv", index=False)
    rows[1::2].to_csv(tmp_path / "second.csv", index=False)
    words = ("leakage", "first.csv", *WORDS, "--holdout", "second.csv", "--json")
    findings = shell(*words, expect=1).json["findings"]
    assert {finding["severity"] for finding in findings} == {"suspect"}
