"""Mirrors ``gnomon.cli.replay``, ``compare``, ``diagnose`` and ``log``, on a running server."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pandas as pd
import pytest

from gnomon.report import Report
from tests.cli.conftest import Running

pytestmark = pytest.mark.slow


def offline(path: Path, rows: int, factor: float) -> Path:
    """A table of what the toy should have said."""
    numbers = range(1, rows + 1)
    frame = pd.DataFrame(
        {"id": [f"e{n}" for n in numbers], "prediction": [factor * n for n in numbers]}
    )
    frame.to_csv(path, index=False)
    return path


def test_a_replay_of_the_live_artifact_agrees(running: Running, tmp_path: Path) -> None:
    """A model's name stands for its live artifact; the report is kept as page and as data."""
    done = running.shell("replay", "toy", "--limit", "40", "--report", str(tmp_path / "again"))
    assert f"Report: {tmp_path / 'again'}.html" in done.out
    report = Report.from_json((tmp_path / "again.json").read_bytes())
    assert (report.verdict, report.subject.artifact) == ("ok", running.live)
    assert "<html" in (tmp_path / "again.html").read_text()


def test_a_replay_through_another_artifact_diverges(running: Running) -> None:
    """Exit code 1, and without a path the report goes to the storage root."""
    done = running.shell("replay", running.live, "--through", running.spare, "--json", expect=1)
    assert (done.json["verdict"], done.json["against"]) == ("diverged", running.spare)
    pages = list((Path(running.server.settings.root) / "reports" / "toy").glob("replay-*.html"))
    assert pages


def test_a_shadow_is_compared_with_its_offline_table(running: Running, tmp_path: Path) -> None:
    """What was never live is looked for among the shadows' answers; then the skew gate knows."""
    table = offline(tmp_path / "offline.csv", running.rows, 100.0)
    done = running.shell("compare", running.shadow, "--table", str(table), "--json")
    assert done.json["verdict"] == "ok"
    assert done.json["coverage"]["compared"] >= running.rows
    assert done.json["subject"]["role"] == "shadow"


def test_a_table_that_says_otherwise_diverges(running: Running, tmp_path: Path) -> None:
    """Exit code 1, and the summary says so first."""
    table = offline(tmp_path / "offline.csv", running.rows, 7.0)
    done = running.shell("compare", "toy", "--table", str(table), "--on", "id", expect=1)
    assert "DIVERGED" in done.out


def test_a_diagnosis_climbs_the_ladder(running: Running, tmp_path: Path) -> None:
    """The rows are run one by one and in other company; the command it names is the one given."""
    table = offline(tmp_path / "offline.csv", running.rows, 7.0)
    done = running.shell("diagnose", "toy", "--table", str(table), "--on", "id", "--json", expect=1)
    assert [rung["name"] for rung in done.json["ladder"]] == ["R0", "R1", "R1", "R2"]
    assert all(rung["as_left"] == rung["rows"] for rung in done.json["ladder"])
    assert done.json["diagnosis"]["sentence"]
    assert done.json["command"].startswith(f"gnomon diagnose {running.live} --table")


def test_another_environment_can_be_the_offline_side(running: Running) -> None:
    """Run by the interpreter that is named; one that is none is an error that says what to give."""
    done = running.shell("diagnose", "toy", "--python", sys.executable, "--json")
    assert done.json["verdict"] == "ok"
    assert f"--python {sys.executable}" in done.json["command"]
    none = running.shell("diagnose", "toy", "--python", "/nowhere/python", expect=2)
    assert "give the path of a python" in none.err


def test_a_table_without_the_key_is_a_plain_error(running: Running, tmp_path: Path) -> None:
    """Exit code 2, never 1: nothing was compared."""
    table = tmp_path / "offline.csv"
    table.write_text("prediction\n1.0\n")
    done = running.shell("compare", "toy", "--table", str(table), expect=2)
    assert done.err.startswith("error:")


def test_a_range_without_answers_is_no_agreement(running: Running) -> None:
    """Nothing is known, which is bad news to whoever waits for proof: exit code 1."""
    assert "UNKNOWN" in running.shell("replay", "toy", "--end", "2001-01-01", expect=1).out


def test_a_time_that_is_none_is_a_usage_error(running: Running) -> None:
    """With an example of one that is."""
    done = running.shell("replay", "toy", "--start", "soon", expect=2)
    assert "2024-05-01T12:00" in done.err


def test_the_command_in_a_report_can_be_run(running: Running) -> None:
    """It finds the same rows again."""
    first = running.shell("replay", running.live, "--json").json
    words = first["command"].split()
    assert words[0] == "gnomon"
    again = running.shell(*words[1:], "--json").json
    assert again["subject"] == first["subject"]
    assert again["divergence"]["rows"] == first["divergence"]["rows"]


def test_the_log_answers_sql(running: Running) -> None:
    """As a table, as JSON, as CSV."""
    query = "SELECT role, count(*) AS n FROM log WHERE row < 40 GROUP BY role ORDER BY role"
    said = running.shell("log", "sql", query, "--json").json
    assert [row["role"] for row in said] == ["live", "shadow"]
    assert said[0]["n"] >= running.rows
    assert "shadow" in running.shell("log", "sql", query).out
    table = list(csv.DictReader(io.StringIO(running.shell("log", "sql", query, "--csv").out)))
    assert [row["role"] for row in table] == ["live", "shadow"]
    many = running.shell("log", "sql", "SELECT 1 AS one FROM range(60)").out
    assert "10 rows more" in many


def test_a_wrong_query_is_a_plain_error(running: Running) -> None:
    """With what DuckDB says."""
    assert "nonsense" in running.shell("log", "sql", "SELECT nonsense FROM log", expect=2).err


def test_the_books_balance(running: Running) -> None:
    """For live and for the shadow, to the row."""
    said = running.shell("log", "books", "--json").json
    assert said["balanced"] is True
    assert said["live"]["received"] >= running.rows
    assert [shadow["artifact"] for shadow in said["shadows"]] == [running.shadow]
    assert "rows received =" in running.shell("log", "books").out


def test_sealing_by_hand_loses_nothing(running: Running) -> None:
    """Beside the server's own sealer."""
    count = ("log", "sql", "SELECT count(*) AS n FROM log WHERE role = 'live'", "--json")
    before = running.shell(*count).json[0]["n"]
    assert "sealed" in running.shell("log", "seal").out
    assert running.shell(*count).json[0]["n"] >= before
