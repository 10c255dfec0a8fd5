"""The quality of shadows by labels that a running server has taken."""

from __future__ import annotations

from pathlib import Path

import pytest

import gnomon
from tests.cli.conftest import Running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def labelled(running: Running) -> Running:
    """Every row is labelled: live is right on each."""
    with running.server.client() as client:
        answers = client.predict([{"x": float(n), "id": f"q{n}"} for n in range(1, 31)])
        labels = [
            {"request_id": answers.request_id, "row": n, "value": float(n + 1)} for n in range(30)
        ]
        assert client.label(labels).accepted == 30
    return running


def test_each_running_shadow_is_compared_with_live(labelled: Running) -> None:
    """Both losses, the difference with its interval, and which rows count."""
    shell = labelled.shell
    report = shell("quality", "--json").json
    [shadow] = report["shadows"]
    assert (shadow["artifact"], shadow["live"]) == (labelled.shadow, labelled.live)
    absolute = shadow["metrics"][0]
    assert (absolute["metric"], absolute["rows"], absolute["live"]) == ("absolute_error", 30, 0.0)
    assert absolute["shadow"] > 50
    assert absolute["interval"][0] > 0
    shown = shell("quality", labelled.shadow).out
    assert "30 of 70 rows that both answered have a label" in shown
    assert "absolute_error" in shown
    assert "losses are cut at 63" in shown


def test_the_gate_of_a_promotion_is_judged_by_them(labelled: Running) -> None:
    """A policy with a limit refuses the worse shadow, and says on what."""
    policy = Path(labelled.shell.folder) / "by_labels.toml"
    policy.write_text("[quality]\nmax_increase = {absolute_error = 1.0}\n")
    done = labelled.shell(
        "promote", labelled.shadow, "--check", "--json", "--policy", str(policy), expect=1
    )
    gate = next(g for g in done.json["gates"] if g["name"] == "quality_absolute_error")
    assert gate["verdict"] == "fail"
    assert "on 30 labelled rows (30 entities)" in gate["says"]


def test_python_gives_the_same(labelled: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """As structs, and as a frame."""
    monkeypatch.setenv("BENTOML_HOME", labelled.shell.environment["BENTOML_HOME"])
    report = gnomon.measure_quality(
        "toy", policy=gnomon.Policy(), settings=labelled.server.settings
    )
    assert report.shadows[0].metrics[0].rows == 30
    assert report.to_frame()["metric"].tolist() == ["absolute_error", "squared_error"]


def test_wanted_labels_are_filled_in_and_imported(labelled: Running, tmp_path: Path) -> None:
    """The rows on which the answers are farthest apart; a label makes a row no longer wanted."""
    listed = labelled.shell("labels", "wanted", labelled.shadow, "--rows", "3").out
    header, *rows = listed.strip().splitlines()
    assert header.replace('"', "") == (
        "request_id,row,arrived,id,live_prediction,shadow_prediction,effect,value"
    )
    assert len(rows) == 3
    file = tmp_path / "wanted.csv"
    file.write_text("\n".join([header, *(f"{row}7.5" for row in rows)]) + "\n")
    assert labelled.shell("labels", "import", str(file), "--json").json["stored"] == 3
    again = labelled.shell("labels", "wanted", labelled.shadow, "--json").json
    done = {row.split(",")[1] for row in rows}
    assert len(again) == 37
    assert done.isdisjoint(str(row["row"]) for row in again)
    cohort = labelled.shell("quality", "--json").json["shadows"][0]["cohort"]
    assert (cohort["labelled"], cohort["unlabelled"]) == (33, 37)


def test_a_metric_that_there_is_not_is_an_error(labelled: Running) -> None:
    """With those that there are."""
    done = labelled.shell("labels", "wanted", labelled.shadow, "--metric", "brier", expect=2)
    assert "absolute_error, squared_error" in done.err


def test_a_shadow_without_labels_says_so(labelled: Running) -> None:
    """Rows from before the labels: nothing is compared, and nothing fails."""
    shown = labelled.shell("quality", "--end", "2020-01-01").out
    assert "0 of 0 rows that both answered have a label" in shown


def test_an_artifact_is_judged_on_history_before_it_runs(labelled: Running, tmp_path: Path) -> None:
    """The spare, which never ran, answers two x: it is replayed, and its gates say so."""
    policy = tmp_path / "policy.toml"
    policy.write_text("[gates]\nmin_rows = 10\n[quality]\nmax_increase = {absolute_error = 0.5}\n")
    words = ["promote", labelled.spare, "--check", "--policy", str(policy), "--json"]
    done = labelled.shell(*words, "--on-history", "..", expect=1)
    gates = {gate["name"]: gate for gate in done.json["gates"]}
    assert list(gates) == ["rows", "disagreement", "failed", "quality_absolute_error"]
    assert (gates["rows"]["value"], gates["disagreement"]["count"]) == (70, 70)
    assert gates["quality_absolute_error"]["verdict"] == "fail"
    none = labelled.shell(*words, "--on-history", "..2020-01-01", expect=1).json
    assert (none["verdict"], none["gates"][0]["value"]) == ("no_data", 0)


def test_history_is_only_checked(labelled: Running) -> None:
    """Nothing is promoted on a replay; live itself is not judged."""
    done = labelled.shell("promote", labelled.spare, "--on-history", "..", expect=2)
    assert "--on-history needs --check" in done.err
    done = labelled.shell("promote", labelled.live, "--check", "--on-history", "..", expect=2)
    assert "is live" in done.err
    done = labelled.shell("promote", labelled.spare, "--check", "--on-history", "today", expect=2)
    assert "expected START..END" in done.err
