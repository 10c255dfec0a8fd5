"""With the spool on another disk, the loss of the storage root or a part of it is noticed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gnomon.errors import LogError
from gnomon.log import InferenceLog
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import stream_folder
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.log_files import ledgers, rows, seal, write_segment
from tests.log.rows import settings

Loss = Callable[[Settings], None]


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    """Six rows, sealed; three in the spool."""
    configured = settings(tmp_path, spool=str(tmp_path / "spool"))
    seal(configured, 2)
    write_segment(configured)
    return configured


def root_deleted(setup: Settings) -> None:
    shutil.rmtree(setup.root)


def root_not_mounted(setup: Settings) -> None:
    root_deleted(setup)
    Path(setup.root).mkdir()


def table_deleted(setup: Settings) -> None:
    shutil.rmtree(Path(setup.root, "log"))


@pytest.mark.slow
@pytest.mark.parametrize("lose", [root_deleted, root_not_mounted, table_deleted])
def test_a_lost_root_is_named_and_its_rows_counted_as_lost(setup: Settings, lose: Loss) -> None:
    """Segments in the spool are not read as the complete log.

    The sealer reports the loss until repair has recorded it.
    """
    lose(setup)
    says = r"6 rows of a/requests had been sealed.*GNOMON_ROOT.*mounted.*log repair"
    for _ in range(2):
        with pytest.raises(LogError, match=says):
            Sealer(setup, "flights").seal()
        with pytest.raises(LogError, match=says):
            Sealer(setup, "flights").maintain()
    with pytest.raises(LogError, match=says):
        balance(InferenceLog(setup, "flights"))
    done = repair(setup, "flights")
    assert done.table is not None
    assert done.table.lost == {"a/requests": 6}
    seal(setup, 2)
    Sealer(setup, "flights").maintain()
    assert rows(setup) == 9
    accounts = balance(InferenceLog(setup, "flights"))
    assert accounts.balanced
    assert "6 rows are lost, as gnomon log repair has noted" in accounts.explain()
    assert repair(setup, "flights").is_whole


def test_a_remounted_root_loses_no_row(setup: Settings, tmp_path: Path) -> None:
    """It loses none, whatever the sealer did meanwhile."""
    Path(setup.root).rename(tmp_path / "elsewhere")
    with pytest.raises(LogError, match="is gone"):
        Sealer(setup, "flights").seal()
    assert not Path(setup.root).exists()
    (tmp_path / "elsewhere").rename(setup.root)
    seal(setup, 1)
    assert rows(setup) == 12
    assert balance(InferenceLog(setup, "flights")).balanced


def test_an_older_root_is_noticed(setup: Settings, tmp_path: Path) -> None:
    """A root from a backup lacks what was sealed since, ledger and all."""
    shutil.copytree(setup.root, tmp_path / "backup")
    seal(setup, 1)
    shutil.rmtree(setup.root)
    shutil.copytree(tmp_path / "backup", setup.root)
    with pytest.raises(LogError, match="has lost commits"):
        balance(InferenceLog(setup, "flights"))
    done = repair(setup, "flights")
    assert done.table is not None
    assert done.table.lost == {"a/requests": 6}
    assert rows(setup) == 6
    seal(setup, 1)
    assert balance(InferenceLog(setup, "flights")).balanced


@pytest.mark.parametrize("what", ["deleted", "older"])
def test_a_ledger_is_taken_from_its_copy(setup: Settings, what: str) -> None:
    """Its counts still apply: rows that are gone from the table are missing."""
    old = ledgers(setup)[0].read_bytes()
    seal(setup, 1)
    [ledger] = ledgers(setup)
    known = ledger.read_bytes()
    ledger.unlink() if what == "deleted" else ledger.write_bytes(old)
    commits = sorted(Path(setup.root, "log", "flights", "_delta_log").glob("*.json"))
    commits[2].write_bytes(b'{"commitInfo":{}}\n')
    accounts = balance(InferenceLog(setup, "flights"))
    assert "3 rows are missing from the sealed log" in accounts.explain()
    Sealer(setup, "flights").seal()
    assert ledger.read_bytes() == known


def test_a_damaged_copy_is_named_and_set_aside(setup: Settings) -> None:
    """It is not treated as an empty one."""
    [copy] = Path(setup.spool_path, "flights").glob("sealed-*.json")
    copy.write_bytes(b"")
    with pytest.raises(LogError, match=r"not a ledger of what was sealed.*sealed-.*log repair"):
        balance(InferenceLog(setup, "flights"))
    assert len(repair(setup, "flights").lists) == 1
    assert balance(InferenceLog(setup, "flights")).balanced


def test_a_spool_that_was_lost_is_named(setup: Settings) -> None:
    """Unsealed rows in it are in no count, and the accounts say so."""
    for times in ("once", "2 times"):
        shutil.rmtree(setup.spool_path)
        seal(setup, 1)
        accounts = balance(InferenceLog(setup, "flights"))
        assert accounts.balanced
        assert f"its folder in the spool was lost or replaced {times}" in accounts.explain()


def test_a_stream_that_was_lost_is_named(setup: Settings) -> None:
    """The same where the rest of the spool is there."""
    shutil.rmtree(stream_folder(setup, "flights", "a", "requests"))
    seal(setup, 1)
    assert "was lost or replaced once" in balance(InferenceLog(setup, "flights")).explain()
