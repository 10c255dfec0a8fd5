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
