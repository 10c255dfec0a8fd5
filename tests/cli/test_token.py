"""``gnomon token``: the commands, and what they print."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gnomon.cli.app import app
from gnomon.cli.durations import parse_duration
from gnomon.tokens.token_text import TokenText


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A storage root, which the settings name."""
    monkeypatch.setenv("GNOMON_ROOT", str(tmp_path / "root"))
    return tmp_path / "root"


def run(*arguments: str) -> str:
    """The output of a command that succeeds."""
    done = CliRunner().invoke(app, ["token", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_token_is_printed_alone_for_scripts() -> None:
    """``GNOMON_TOKEN=$(gnomon token create ...)`` works; the rest is on standard error."""
    printed = run("create", "ci", "--role", "operator", "--model", "flights", "--expires", "12h")
    assert TokenText.parse(printed.strip().encode()) is not None


def test_tokens_are_listed_rotated_and_revoked() -> None:
    """No list shows a secret."""
    made = json.loads(run("create", "ann", "--role", "viewer", "--json"))
    rotated = json.loads(run("rotate", "ann", "--overlap", "1h", "--expires", "never", "--json"))
    assert rotated["expires"] is None
    listed = run("list", "--json")
    assert json.loads(listed)[0]["ids"] == [*made["ids"], *rotated["ids"][1:]]
    assert "revoked" in run("revoke", "ann")
    assert json.loads(run("list", "--json"))[0]["state"] == "revoked"
    for text in (listed, run("list")):
        assert made["token"].split("_", 2)[2] not in text
        assert rotated["token"].split("_", 2)[2] not in text


def test_no_tokens_are_said_to_be_none() -> None:
    """Not an empty table."""
    assert run("list").strip() == "There are no tokens."


def test_without_a_server_the_account_is_who_decides(root: Path) -> None:
    """As a claim, which the history records."""
    (root / "rollout" / "flights").mkdir(parents=True)
    (root / "rollout" / "flights" / "000000.json").write_text("{}")
    assert "as your account claims" in run("whoami")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        ("30m", timedelta(minutes=30)),
        ("45s", timedelta(seconds=45)),
    ],
)
def test_a_duration_has_a_unit(text: str, expected: timedelta) -> None:
    """Days, hours, minutes or seconds."""
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5h", "1w", "9999999999d"])
def test_another_text_is_no_duration(text: str) -> None:
    """The error shows one."""
    with pytest.raises(typer.BadParameter, match="90d"):
        parse_duration(text)
