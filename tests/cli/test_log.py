"""Mirrors ``gnomon.cli.log``, on a running server."""

from __future__ import annotations

import csv
import io

import pytest

from tests.cli.conftest import Running

pytestmark = pytest.mark.slow


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


def test_the_accounts_balance(running: Running) -> None:
    """For live and for the shadow, to the row."""
    said = running.shell("log", "accounts", "--json").json
    assert said["balanced"] is True
    assert said["live"]["received"] >= running.rows
    assert [shadow["artifact"] for shadow in said["shadows"]] == [running.shadow]
    assert "rows received =" in running.shell("log", "accounts").out
    assert running.shell("log", "books", "--json").json.keys() == said.keys()  # its name until 0.2


def test_sealing_by_hand_loses_nothing(running: Running) -> None:
    """Beside the server's own sealer."""
    count = ("log", "sql", "SELECT count(*) AS n FROM log WHERE role = 'live'", "--json")
    before = running.shell(*count).json[0]["n"]
    assert "sealed" in running.shell("log", "seal").out
    assert running.shell(*count).json[0]["n"] >= before
