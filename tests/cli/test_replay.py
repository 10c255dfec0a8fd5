"""Replaying the log of a running server."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnomon.report import Report
from tests.cli.conftest import Running

pytestmark = pytest.mark.slow


def test_a_replay_of_the_live_artifact_agrees(running: Running, tmp_path: Path) -> None:
    """A model's name means its live artifact; the report is saved as page and data."""
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


def test_a_range_without_answers_is_inconclusive(running: Running) -> None:
    """Exit code 1: an inconclusive result is not the proof that a script needs."""
    assert "UNKNOWN" in running.shell("replay", "toy", "--end", "2001-01-01", expect=1).out


def test_an_invalid_time_is_a_usage_error(running: Running) -> None:
    """The error has an example of a valid time."""
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
