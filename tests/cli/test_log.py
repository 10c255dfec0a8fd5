"""Queries, accounts and sealing of the log of a running server."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gnomon.cli import console
from gnomon.cli.show.rows import LONGEST_SHOWN, show_rows
from gnomon.cli.show.sealed import explain
from gnomon.log.open_segments import OpenSegment
from tests.cli.conftest import Running

pytestmark = pytest.mark.slow


def test_the_log_answers_sql(running: Running) -> None:
    """The answer is a table, JSON or CSV."""
    query = "SELECT role, count(*) AS n FROM log WHERE row < 40 GROUP BY role ORDER BY role"
    rows = running.shell("log", "sql", query, "--json").json
    assert [row["role"] for row in rows] == ["live", "shadow"]
    assert rows[0]["n"] >= running.rows
    assert "shadow" in running.shell("log", "sql", query).out
    table = list(csv.DictReader(io.StringIO(running.shell("log", "sql", query, "--csv").out)))
    assert [row["role"] for row in table] == ["live", "shadow"]
    many = running.shell("log", "sql", "SELECT 1 AS one FROM range(60)").out
    assert "10 rows more" in many


def test_a_row_wider_than_the_terminal_has_a_field_a_line(running: Running) -> None:
    """Whole names and values, however many columns there are."""
    lines = running.shell("log", "sql", "SELECT * FROM log LIMIT 2").out.splitlines()
    assert [line for line in lines if line.startswith("row")] == ["row 1", "row 2"]
    assert any(line.split()[:1] == ["request_id"] for line in lines)


def test_lists_and_structs_are_json(running: Running, tmp_path: Path) -> None:
    """They are JSON in a table and in CSV, and keep their type in Parquet."""
    query = "SELECT [1, 2] AS list, {'a': NULL, 'b': true} AS struct, 'x'::BLOB AS bytes"
    assert '[1,2]  {"a":null,"b":true}  x' in running.shell("log", "sql", query).out
    (row,) = csv.DictReader(io.StringIO(running.shell("log", "sql", query, "--csv").out))
    assert row == {"list": "[1,2]", "struct": '{"a":null,"b":true}', "bytes": "x"}
    file = tmp_path / "rows.parquet"
    assert str(file) in running.shell("log", "sql", query, "--parquet", str(file)).out
    (stored,) = pq.read_table(file).to_pylist()
    assert stored == {"list": [1, 2], "struct": {"a": None, "b": True}, "bytes": b"x"}
    nowhere = str(tmp_path / "none" / "rows.parquet")
    assert nowhere in running.shell("log", "sql", query, "--parquet", nowhere, expect=2).err
    running.shell("log", "sql", query, "--csv", "--json", expect=2)


def test_a_long_value_is_shortened() -> None:
    """The body of a request with many rows used to fill the terminal."""
    with console.out.capture() as shown:
        show_rows(pa.table({"raw": ["x" * (LONGEST_SHOWN + 1234)], "row": [7]}))
    assert shown.get().count("x") == LONGEST_SHOWN
    assert "and 1,234 characters more" in " ".join(shown.get().split())


def test_a_wrong_query_is_a_plain_error(running: Running) -> None:
    """The error has DuckDB's message."""
    assert "nonsense" in running.shell("log", "sql", "SELECT nonsense FROM log", expect=2).err


def test_the_accounts_balance(running: Running) -> None:
    """They balance for live and for the shadow, to the row."""
    accounts = running.shell("log", "accounts", "--json").json
    assert accounts["balanced"] is True
    assert accounts["live"]["received"] >= running.rows
    assert [shadow["artifact"] for shadow in accounts["shadows"]] == [running.shadow]
    assert "rows received =" in running.shell("log", "accounts").out
    # The command's name until 0.2:
    assert running.shell("log", "books", "--json").json.keys() == accounts.keys()


def test_the_message_says_what_was_sealed_and_what_is_open() -> None:
    """``--now`` is not suggested to a user who passed it, and segments that the server sealed
    meanwhile are mentioned.
    """
    single, many = OpenSegment(Path("a"), 0, 1, 2.0), OpenSegment(Path("b"), 3, 1_200, 5.0)
    assert explain(2, [], 60) == "2 closed segments sealed"
    assert explain(1, [single], 62) == (
        "1 closed segment sealed; 1 open segment with 1 row, it closes in 60 s, or now with --now"
    )
    assert explain(0, [single], 60, [single, many]) == (
        "2 open segments with 1,201 rows closed; 0 closed segments sealed, the others by the "
        "server; 1 open segment with 1 row came since"
    )
    assert explain(0, [], 60, []) == "0 closed segments sealed"


def test_sealing_by_hand_loses_nothing(running: Running) -> None:
    """While the server's own sealer runs."""
    count = ("log", "sql", "SELECT count(*) AS n FROM log WHERE role = 'live'", "--json")
    before = running.shell(*count).json[0]["n"]
    with running.server.client() as client:
        client.predict({"x": 1.0, "id": "open"})
    assert "open segment" in running.shell("log", "seal").out
    closed = running.shell("log", "seal", "--now").out
    assert re.match(
        r"\d+ open segments? with \d+ rows? closed; \d+ closed segments? sealed", closed
    )
    assert "--now" not in closed
    again = running.shell("log", "seal", "--now").out
    assert re.match(r"\d+ closed segments? sealed$", again.strip())
    assert running.shell(*count).json[0]["n"] >= before
