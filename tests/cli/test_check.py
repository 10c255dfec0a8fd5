"""Checking files, the log and contracts, and how a shadow's contract is judged."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pandas as pd
import pytest

from tests.cli.conftest import Running
from tests.cli.running import Shell
from tests.contract.flight import FLIGHT, RECORD
from tests.packing import KEYLESS, PAID, Pack, pack_in_process, times


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    """The flights contract as a file."""
    FLIGHT.write(tmp_path / "contract.json")
    return tmp_path / "contract.json"


def rows(path: Path, **changes: object) -> None:
    """Two flights as CSV, the second with some values changed."""
    pd.DataFrame([RECORD, RECORD | changes]).to_csv(path / "rows.csv", index=False)


def test_rows_that_keep_the_contract_pass(shell: Shell, contract: Path, tmp_path: Path) -> None:
    """Exit code 0, also with allowed values that training did not see."""
    rows(tmp_path, carrier="ZZ")
    text = " ".join(shell("check", "contract.json", "--table", "rows.csv").out.split())
    for words in (
        "✓ the rows conform to the contract of contract.json; 2 rows read",
        "· allowed `carrier` domain in 1 row (50%)",
        'expected one of "AA", "B6", "UA", got "ZZ" (1)',
        "rows 1",
        "not checked: unit: there is no training profile",
    ):
        assert words in text, words


def test_rows_that_break_the_contract_fail(shell: Shell, contract: Path, tmp_path: Path) -> None:
    """Exit code 1; the JSON has the rows."""
    rows(tmp_path, distance=2.5, extra=1)
    words = ("check", "contract.json", "--table", "rows.csv")
    assert "✗ broken" in shell(*words, expect=1).out
    report = shell(*words, "--json", expect=1).json
    assert report["verdict"] == "broken"
    broken, unknown = report["findings"]
    assert (broken["feature"], broken["rule"], broken["rows"], broken["share"]) == (
        "distance",
        "type",
        1,
        0.5,
    )
    assert broken["examples"] == [{"row": 1, "got": "2.5", "at": None}]
    assert (unknown["feature"], unknown["level"]) == ("extra", "allowed")


def test_two_contracts_are_compared(shell: Shell, contract: Path, tmp_path: Path) -> None:
    """Exit code 1 when it cannot take the other's place, 0 with warnings alone."""
    new = msgspec.structs.replace(FLIGHT, features=FLIGHT.features[1:])
    new.write(tmp_path / "new.json")
    done = shell("check", "new.json", "--against", "contract.json").out
    assert "✓ new.json accepts every request that contract.json accepts" in done
    text = shell("check", "contract.json", "--against", "new.json", expect=1).out
    assert "✗ contract.json cannot replace new.json" in text
    report = shell("check", "contract.json", "--against", "new.json", "--json", expect=1).json
    assert report["verdict"] == "incompatible"
    assert [(change["where"], change["what"]) for change in report["changes"]] == [
        ("distance", "added")
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gone.json",), "cannot read the contract"),
        (("contract.json", "--table", "gone.csv"), "no such file"),
        (("contract.json", "--role", "live"), "--role needs an artifact"),
        (("contract.json",), "no deployment has run"),
    ],
)
def test_what_cannot_be_done_is_a_plain_error(
    shell: Shell, contract: Path, words: tuple[str, ...], message: str
) -> None:
    """Exit code 2: nothing was checked."""
    assert message in " ".join(shell("check", *words, expect=2).err.split())


@pytest.mark.slow
def test_an_incompatible_shadow_is_refused_before_it_starts(shell: Shell, pack: Pack) -> None:
    """Refused with what it needs; forced, or started with a warning shown."""
    live, paid, keyless = (
        pack(times(1)),
        pack(times(1), script=PAID),
        pack(times(1), script=KEYLESS),
    )
    shell("promote", live)
    refused = shell("shadow", "start", paid, expect=2).err
    assert "`fee` added: no feature -> required" in refused
    assert "force it" in refused
    forced = shell("shadow", "start", paid, "--force").out
    assert "though its contract is incompatible" in forced
    assert "incompatible: `fee` added" in forced
    assert "warning: `entity_key` changed: id -> none" in shell("shadow", "start", keyless).out
    history = " ".join(shell("history").out.split())
    assert "forced" in history
    assert "changes of the contract: incompatible: `fee` added no feature -> required" in history
    assert "warning: `entity_key` changed id -> none" in history


@pytest.mark.slow
def test_a_running_server_refuses_an_incompatible_shadow(running: Running, tmp_path: Path) -> None:
    """The error has the same words, and nothing is started."""
    home = Path(running.shell.environment["BENTOML_HOME"])
    paid = pack_in_process(tmp_path / "code", home, times(1), "toy", PAID)
    refused = running.shell("shadow", "start", paid, expect=2).err
    reason = f"{paid} could not accept the requests that {running.live} gets: `fee` added"
    assert reason in refused
    with running.server.client() as client:
        assert [shadow.artifact for shadow in client.status().shadows] == [running.shadow]


@pytest.mark.slow
def test_the_log_of_a_running_server_is_checked(running: Running, tmp_path: Path) -> None:
    """Every answered request; an empty range is not agreement."""
    shell = running.shell
    report = shell("check", running.live, "--json").json
    assert report["verdict"] == "kept"
    assert report["rows"] >= running.rows
    assert report["unchecked"] == []
    text = shell("check", "toy", "--role", "shadow", "--start", "2124-01-01T00:00", expect=1).out
    assert "inconclusive: there are no rows to check" in text


def test_inspect_shows_a_max_age(tmp_path: Path) -> None:
    """Beside the type of a timestamp."""
    from datetime import timedelta

    from gnomon.cli.show.artifact import type_words

    scheduled = FLIGHT.feature("scheduled")
    assert type_words(scheduled) == "timestamp America/New_York"
    aged = msgspec.structs.replace(scheduled, max_age=timedelta(hours=6))
    assert type_words(aged) == "timestamp America/New_York, at most 6:00:00 old"
