"""Comparing the log of a running server with a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnomon.skew import skew_record
from gnomon.storage import Storage
from tests.cli.conftest import Running
from tests.cli.running import offline

pytestmark = pytest.mark.slow


def test_a_shadow_is_compared_with_its_offline_table(running: Running, tmp_path: Path) -> None:
    """An artifact that was never live is found among the shadows, and the skew gate gets the
    result.
    """
    table = offline(tmp_path / "offline.csv", running.rows, 100.0)
    done = running.shell("compare", running.shadow, "--table", str(table), "--json")
    assert done.json["verdict"] == "ok"
    assert done.json["coverage"]["compared"] >= running.rows
    assert done.json["subject"]["role"] == "shadow"
    known = skew_record.read(Storage(running.server.settings), running.shadow)
    assert known is not None
    assert (known.rows, known.disagreed) == (done.json["divergence"]["of"], 0)


def test_a_table_with_other_predictions_diverges(running: Running, tmp_path: Path) -> None:
    """Exit code 1, and the summary says so first."""
    table = offline(tmp_path / "offline.csv", running.rows, 7.0)
    done = running.shell("compare", "toy", "--table", str(table), "--on", "id", expect=1)
    assert "DIVERGED" in done.out


def test_a_table_without_the_key_is_a_plain_error(running: Running, tmp_path: Path) -> None:
    """Exit code 2, never 1: nothing was compared."""
    table = tmp_path / "offline.csv"
    table.write_text("prediction\n1.0\n")
    done = running.shell("compare", "toy", "--table", str(table), expect=2)
    assert done.err.startswith("error:")
