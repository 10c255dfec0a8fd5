"""Measuring drift in the log of a running server."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnomon.drift import DriftReport
from tests.cli.conftest import Running

pytestmark = pytest.mark.slow


def test_an_inconclusive_drift_exits_with_1(running: Running, tmp_path: Path) -> None:
    """Exit code 1; page and data are saved at the given path."""
    done = running.shell("drift", "toy", "--report", str(tmp_path / "drift"), expect=1)
    assert "UNKNOWN" in done.out
    assert f"Report: {tmp_path / 'drift'}.html" in done.out
    report = DriftReport.from_json((tmp_path / "drift.json").read_bytes())
    assert (report.verdict, report.subject.artifact) == ("unknown", running.live)
    assert report.rows >= running.rows


def test_json_is_all_that_is_printed(running: Running) -> None:
    """Without a path the report goes to the storage root; a policy can let everything pass."""
    policy = Path(running.shell.folder) / "lenient.toml"
    names = ("psi", "js", "ks", "wasserstein", "linf", "nulls", "new", "outside")
    policy.write_text("[drift]\n" + "".join(f"{name} = inf\n" for name in names))
    done = running.shell("drift", "toy", "--json", "--steps", "0", "--policy", str(policy))
    assert (done.json["verdict"], done.json["traced"]) == ("ok", 0)
    pages = list((Path(running.server.settings.root) / "reports" / "toy").glob("drift-*.html"))
    assert pages


def test_an_unknown_feature_is_an_error(running: Running) -> None:
    """Exit code 2, with the features there are."""
    done = running.shell("drift", "toy", "--by", "colour", expect=2)
    assert "the features are" in done.err


def test_drift_from_training_is_a_gate(running: Running, tmp_path: Path) -> None:
    """The shadow's inputs and outputs: too few rows to tell, unless no limit of drift is set."""
    gates = "[gates]\nmin_rows = 10\nmax_drifted_columns = 0\n"
    names = ("psi", "js", "ks", "wasserstein", "linf", "nulls", "new", "outside")
    lenient = "[drift]\n" + "".join(f"{name} = inf\n" for name in names)
    verdicts = []
    for text in (gates, gates + lenient):
        policy = tmp_path / "gates.toml"
        policy.write_text(text)
        words = ("promote", running.shadow, "--check", "--json", "--policy", str(policy))
        done = running.shell(*words, expect=1)
        [gate] = [gate for gate in done.json["gates"] if gate["name"] == "drift"]
        assert gate["rows"] >= running.rows
        verdicts.append(gate["verdict"])
    assert verdicts == ["unknown", "pass"]
    shown = running.shell(*words[:3], "--policy", str(policy), expect=1).out
    assert "0 of 2 columns drifted from training" in shown
