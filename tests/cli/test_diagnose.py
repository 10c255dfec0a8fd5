"""Diagnosing the log of a running server."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Running
from tests.cli.running import offline

pytestmark = pytest.mark.slow


def test_a_diagnosis_runs_rows_alone_and_in_other_batches(running: Running, tmp_path: Path) -> None:
    """The rows are run one by one and in other batches; the command it names is the one given."""
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
