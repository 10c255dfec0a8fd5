"""A sealed table with checkpoints or data files that are missing, cut or replaced."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable

from gnomon.errors import LogError
from gnomon.log import InferenceLog
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.log_files import days_old, exchange, rows, seal, write_segment
from tests.log.rows import settings


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path, spool=str(tmp_path / "spool"))


def table(setup: Settings) -> Path:
    return Path(setup.root, "log", "flights")


def checkpoint(setup: Settings) -> Path:
    """The newest."""
    return max((table(setup) / "_delta_log").glob("*.checkpoint.parquet"))


def cut(file: Path) -> None:
    """Take the last byte."""
    os.truncate(file, file.stat().st_size - 1)


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.slow
@pytest.mark.parametrize("damage", [Path.unlink, cut, empty])
@pytest.mark.parametrize("cleaned", [False, True])
def test_a_damaged_checkpoint_loses_no_row(
    setup: Settings, damage: Callable[[Path], None], cleaned: bool
) -> None:
    """Even where the earlier commits were removed and no file describes the table: it is rebuilt
    from its data files.
    """
    if cleaned:
        before = days_old(setup)
    else:
        seal(setup, 3)
        DeltaTable(str(table(setup))).create_checkpoint()
        before = rows(setup)
    for file in (table(setup) / "_delta_log").glob("*.checkpoint.parquet"):
        damage(file)
    with pytest.raises(LogError, match="gnomon log repair"):
        rows(setup)
    done = repair(setup, "flights")
    assert not done.lost_rows
    assert rows(setup) == before
    seal(setup, 2)
    Sealer(setup, "flights").maintain()
    assert rows(setup) == before + 6
    assert balance(InferenceLog(setup, "flights")).balanced
    assert repair(setup, "flights").is_whole


def test_a_damaged_last_checkpoint_file_loses_no_row(setup: Settings) -> None:
    """A damaged `_last_checkpoint` is moved aside; the checkpoint is found without it."""
    before = days_old(setup)
    cut(table(setup) / "_delta_log" / "_last_checkpoint")
    done = repair(setup, "flights")
    assert not done.lost_rows
    assert rows(setup) == before


def test_a_checkpoint_without_any_commit_is_continued(setup: Settings) -> None:
    """It describes the table, but the next commit needs the one before it."""
    seal(setup, 3)
    DeltaTable(str(table(setup))).create_checkpoint()
    for commit in (table(setup) / "_delta_log").glob("*.json"):
        commit.unlink()
    done = repair(setup, "flights")
    assert not done.lost_rows
    seal(setup, 2)
    Sealer(setup, "flights").maintain()
    assert rows(setup) == 15
    assert balance(InferenceLog(setup, "flights")).balanced
    assert repair(setup, "flights").is_whole


def test_a_first_commit_that_is_cut_between_lines_loses_no_row(setup: Settings) -> None:
    """What is left can be read, but does not describe the table: it is rebuilt."""
    seal(setup, 2)
    first = table(setup) / "_delta_log" / f"{0:020d}.json"
    first.write_bytes(first.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(LogError, match="gnomon log repair"):
        rows(setup)
    assert not repair(setup, "flights").lost_rows
    assert rows(setup) == 6
    seal(setup, 1)
    assert balance(InferenceLog(setup, "flights")).balanced
    assert repair(setup, "flights").is_whole


def test_a_table_of_which_only_an_empty_first_commit_is_left_loses_no_row(setup: Settings) -> None:
    """It is no table that a power failure left before anything was sealed: one repair is enough."""
    seal(setup, 1)
    first, second = sorted((table(setup) / "_delta_log").glob("*.json"))
    first.write_bytes(b"")
    second.unlink()
    assert not repair(setup, "flights").lost_rows
    assert rows(setup) == 3
    assert repair(setup, "flights").is_whole


def test_exchanged_data_files_lose_no_row(setup: Settings) -> None:
    """They can be read, but differ from what the table describes; their rows are added again."""
    seal(setup, 2)
    exchange(*sorted(table(setup).rglob("day=*/*.parquet")))
    done = repair(setup, "flights")
    assert not done.lost_rows
    assert rows(setup) == 6
    assert balance(InferenceLog(setup, "flights")).balanced


@pytest.mark.parametrize("damage", [cut, empty])
def test_an_error_on_a_damaged_data_file_names_repair(
    setup: Settings, damage: Callable[[Path], None]
) -> None:
    """The accounts and the sealer's maintenance name repair."""
    seal(setup, 2)
    damage(next(table(setup).rglob("day=*/*.parquet")))
    with pytest.raises(LogError) as caught:
        balance(InferenceLog(setup, "flights"))
    assert "gnomon log repair" in str(caught.value)
    with pytest.raises(LogError) as caught:
        Sealer(setup, "flights").maintain()
    assert "gnomon log repair" in str(caught.value)


def test_files_of_another_table_are_not_treated_as_lost_rows(
    setup: Settings, tmp_path: Path
) -> None:
    """They have rows of streams with the same names. Repair reports how many are too many."""
    seal(setup, 2)
    other = settings(tmp_path / "other")
    seal(other, 3)
    shutil.rmtree(Path(setup.root, "log", "flights", "_delta_log"))
    strange = [
        Path(shutil.copy(path, Path(setup.root, "log", "flights", path.parent.name)))
        for path in Path(other.root, "log").rglob("day=*/*.parquet")
    ]
    with pytest.raises(LogError, match="files of another table"):
        repair(setup, "flights")
    for path in strange:
        path.unlink()
    assert not repair(setup, "flights").lost_rows
    assert rows(setup) == 6
    assert repair(setup, "flights").is_whole


def test_rows_that_were_sealed_from_an_earlier_folder_are_restored(setup: Settings) -> None:
    """The new folder has a smaller number, and unsealed segments of numbers that were sealed."""
    for _ in range(4):
        write_segment(setup)
    Sealer(setup, "flights").seal()
    shutil.rmtree(setup.spool_path / "flights" / "a")
    seal(setup, 1)
    write_segment(setup)
    shutil.rmtree(Path(setup.root, "log", "flights", "_delta_log"))
    assert not repair(setup, "flights").lost_rows
    assert rows(setup) == 18
    Sealer(setup, "flights").seal()
    assert rows(setup) == 18
    assert repair(setup, "flights").is_whole


def test_lost_rows_that_are_found_again_are_restored(setup: Settings) -> None:
    """A data file was put back from a backup after repair had counted its rows as lost."""
    seal(setup, 3)
    file = next(Path(setup.root, "log").rglob("day=*/*.parquet"))
    content = file.read_bytes()
    file.unlink()
    assert repair(setup, "flights").lost_rows
    file.write_bytes(content)
    done = repair(setup, "flights")
    assert done.table is not None
    assert done.table.restored == {"a/requests": 3}
    assert rows(setup) == 9
    assert balance(InferenceLog(setup, "flights")).balanced
    assert repair(setup, "flights").is_whole


@pytest.mark.parametrize("damage", [Path.unlink, empty, cut])
def test_the_first_commit_costs_no_row(setup: Settings, damage: Callable[[Path], None]) -> None:
    """It says what the table is, and nothing else does before the first checkpoint."""
    seal(setup, 3)
    damage(table(setup) / "_delta_log" / f"{0:020d}.json")
    assert not repair(setup, "flights").lost_rows
    assert rows(setup) == 9
    seal(setup, 1)
    assert rows(setup) == 12
    assert balance(InferenceLog(setup, "flights")).balanced
    assert repair(setup, "flights").is_whole
