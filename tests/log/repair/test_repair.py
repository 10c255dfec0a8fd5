"""Readers report damage, and ``repair`` reports what is lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from gnomon.errors import LogError, LogUnavailable
from gnomon.log import InferenceLog, stream_segments
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import stream_folder
from gnomon.log.table.log_table import LogTable
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.log_files import logged, write_segments
from tests.log.rows import settings

Damage = Callable[[bytearray], None]


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path)


def overwrite_a_length(content: bytearray) -> None:
    at = content.index(b"\xff\xff\xff\xff", len(content) // 2)
    content[at + 4 : at + 8] = (1 << 20).to_bytes(4, "little")


def flip_a_bit(content: bytearray) -> None:
    content[len(content) // 2] ^= 4


def cut_short(content: bytearray) -> None:
    del content[len(content) // 2 :]


def zero(content: bytearray) -> None:
    half = len(content) // 2
    content[half:] = bytes(len(content) - half)


@pytest.mark.parametrize("damage", [overwrite_a_length, flip_a_bit, cut_short, zero])
def test_a_damaged_closed_segment_is_kept_and_named(setup: Settings, damage: Damage) -> None:
    """Readers stop there and it is not sealed; repair restores every complete batch at its
    address and names the lost requests.
    """
    ids = write_segments(setup, segments=3, rows=12)
    segment = stream_segments(stream_folder(setup, "flights", "a", "requests"))[1].path
    content = bytearray(segment.read_bytes())
    damage(content)
    segment.write_bytes(content)
    for reading in (lambda: logged(setup), lambda: Sealer(setup, "flights").seal()):
        with pytest.raises(LogError, match=r"damaged log segment.*00000001\.arrows.*log repair"):
            reading()
    assert segment.read_bytes() == content
    done = repair(setup, "flights")
    [salvaged] = done.segments
    assert salvaged.set_aside.read_bytes() == content
    remaining = logged(setup)
    lost = sorted(set(ids) - set(remaining))
    assert set(remaining) < set(ids)
    assert 24 < len(remaining) < 36
    if damage in (overwrite_a_length, flip_a_bit):
        assert len(lost) == 1
        assert list(salvaged.request_ids) == lost
    assert salvaged.after is not None
    assert salvaged.after < lost[0]
    assert repair(setup, "flights").is_whole
    Sealer(setup, "flights").seal()
    assert logged(setup) == remaining
    accounts = balance(InferenceLog(setup, "flights"))
    assert accounts.balanced
    assert "bytes of a/requests/00000001, as gnomon log repair noted" in accounts.explain()


def last_commit(setup: Settings) -> Path:
    """The newest commit of the sealed table."""
    return max(Path(setup.root, "log", "flights", "_delta_log").glob("*.json"))


@pytest.mark.parametrize("damage", ["emptied", "deleted", "torn"])
def test_a_lost_commit_is_noticed_and_its_rows_restored(setup: Settings, damage: str) -> None:
    """The table is compared with the ledger, so an incomplete one is not read.

    Repair adds the rows again from the commit's files.
    """
    ids = write_segments(setup, segments=2, rows=5)
    Sealer(setup, "flights").seal()
    more = write_segments(setup, segments=2, rows=3)
    Sealer(setup, "flights").seal()
    before = logged(setup)
    assert before == sorted(ids + more)
    commit = last_commit(setup)
    content = commit.read_bytes()
    commit.unlink()
    if damage != "deleted":
        commit.write_bytes(b"" if damage == "emptied" else content[:40])
    for reading in (lambda: logged(setup), lambda: balance(InferenceLog(setup, "flights"))):
        with pytest.raises(LogError, match=r"sealed log"):
            reading()
    write_segments(setup, segments=1, rows=2)
    with pytest.raises(LogError, match=r"sealed log"):
        Sealer(setup, "flights").seal()
    done = repair(setup, "flights")
    assert done.table is not None
    assert sum(done.table.restored.values()) == 6
    assert not done.table.lost
    assert set(before) <= set(logged(setup))
    Sealer(setup, "flights").seal()
    assert len(logged(setup)) == 18
    assert balance(InferenceLog(setup, "flights")).balanced
    assert repair(setup, "flights").is_whole


def test_unrecoverable_rows_are_counted_as_lost(setup: Settings) -> None:
    """A deleted data file cannot be restored: the accounts do not balance until repair has
    recorded the loss, which they report from then on.
    """
    write_segments(setup, segments=1, rows=5)
    Sealer(setup, "flights").seal()
    write_segments(setup, segments=1, rows=3)
    Sealer(setup, "flights").seal()
    commit = last_commit(setup)
    for file in Path(setup.root, "log", "flights").rglob("*.parquet"):
        if file.name in commit.read_text():
            file.unlink()
    commit.write_bytes(b"")
    done = repair(setup, "flights")
    assert done.table is not None
    assert done.table.lost == {"a/requests": 3}
    accounts = balance(InferenceLog(setup, "flights"))
    assert accounts.balanced
    assert "3 rows are lost, as gnomon log repair has noted" in accounts.explain()


def test_rows_removed_by_retention_are_not_restored(tmp_path: Path) -> None:
    """Removed files stay for an hour; their rows do not replace other rows that are lost."""
    setup = settings(tmp_path, retention_days=1.0)
    old = write_segments(setup, segments=1, rows=6)
    Sealer(setup, "flights").seal()
    now = dt.datetime.now(dt.UTC)
    newer = write_segments(setup, segments=1, rows=4, arrived=now)
    Sealer(setup, "flights").seal()
    newest = write_segments(setup, segments=1, rows=3, arrived=now)
    Sealer(setup, "flights").seal()
    last = last_commit(setup).read_text()
    Sealer(setup, "flights").maintain()
    assert logged(setup) == sorted([*newer, *newest])
    table = LogTable(setup, "flights").load()
    assert table is not None
    referenced = "".join([last, *table.file_uris()])
    for file in Path(setup.root, "log", "flights").rglob("*.parquet"):
        if file.name in referenced:
            file.unlink()
    done = repair(setup, "flights")
    assert done.table is not None
    assert (done.table.restored, done.table.lost) == ({"a/requests": 4}, {"a/requests": 3})
    assert logged(setup) == sorted(newer)
    assert not set(old) & set(logged(setup))
    assert balance(InferenceLog(setup, "flights")).balanced


def test_rows_that_vanish_from_the_middle_unbalance_the_accounts(setup: Settings) -> None:
    """An older commit lost its content, and only the accounts notice, as later commits are
    intact.
    """
    for rows in (5, 3, 2):
        write_segments(setup, segments=1, rows=rows)
        Sealer(setup, "flights").seal()
    commit = last_commit(setup)
    middle = commit.with_name(f"{int(commit.stem) - 1:020d}.json")
    middle.write_bytes(b"")
    accounts = balance(InferenceLog(setup, "flights"))
    assert not accounts.balanced
    assert "3 rows are missing from the sealed log" in accounts.explain()
    done = repair(setup, "flights")
    assert done.table is not None
    assert done.table.restored == {"a/requests": 3}
    assert balance(InferenceLog(setup, "flights")).balanced


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 1, "bytes": 3}'])
def test_a_damaged_list_of_closed_segments_is_made_anew(setup: Settings, content: bytes) -> None:
    """It is not treated as empty."""
    ids = write_segments(setup, segments=2, rows=4)
    path = stream_folder(setup, "flights", "a", "requests") / "closed.json"
    path.write_bytes(content)
    with pytest.raises(LogError, match=r"not a list of closed segments.*log repair"):
        logged(setup)
    assert repair(setup, "flights").lists == (str(path.parent / "damaged" / "closed.json"),)
    assert logged(setup) == sorted(ids)


def test_a_damaged_ledger_is_made_anew_from_the_table(setup: Settings) -> None:
    """Sealing waits for the repair."""
    write_segments(setup, segments=2, rows=4)
    Sealer(setup, "flights").seal()
    [ledger] = Path(setup.root, "sealed", "flights").iterdir()
    ledger.write_bytes(b"")
    with pytest.raises(LogError, match=r"not a ledger of what was sealed.*log repair"):
        balance(InferenceLog(setup, "flights"))
    assert len(repair(setup, "flights").lists) == 1
    write_segments(setup, segments=1, rows=2)
    Sealer(setup, "flights").seal()
    accounts = balance(InferenceLog(setup, "flights"))
    assert accounts.balanced
    assert [(part.sealed, part.found) for part in accounts.sealed] == [(10, 10)]


def test_repair_of_an_undamaged_log_changes_nothing(setup: Settings) -> None:
    """Repair of a healthy log changes nothing."""
    ids = write_segments(setup, segments=2, rows=4)
    Sealer(setup, "flights").seal()
    assert repair(setup, "flights").is_whole
    assert logged(setup) == sorted(ids)


def test_a_repair_that_ended_early_is_not_noted_twice(setup: Settings) -> None:
    """It had recorded the loss, but not replaced the segment."""
    write_segments(setup, 2, 4)
    segment = stream_segments(stream_folder(setup, "flights", "a", "requests"))[0].path
    content = bytearray(segment.read_bytes())
    flip_a_bit(content)
    segment.write_bytes(content)
    assert repair(setup, "flights").lost_rows
    noted = balance(InferenceLog(setup, "flights")).damaged
    segment.write_bytes(content)
    repair(setup, "flights")
    assert balance(InferenceLog(setup, "flights")).damaged == noted


def test_trailing_bytes_are_cut_without_a_loss(setup: Settings) -> None:
    """Bytes after the end of a closed segment are cut off; no row is said to be lost."""
    ids = write_segments(setup, 2, 4)
    segment = stream_segments(stream_folder(setup, "flights", "a", "requests"))[0].path
    segment.write_bytes(segment.read_bytes() + b"x" * 100)
    done = repair(setup, "flights")
    assert done.segments
    assert not done.lost_rows
    assert logged(setup) == sorted(ids)


def test_a_read_that_fails_leaves_no_file_open(setup: Settings) -> None:
    """Otherwise a reader that retries would run out of descriptors."""
    write_segments(setup, 4, 2)
    stream = stream_folder(setup, "flights", "a", "requests")
    segment = stream_segments(stream)[2].path
    content = bytearray(segment.read_bytes())
    segment.write_bytes(b"x" + content[1:])
    before = open_files(stream)
    for _ in range(3):
        with pytest.raises(LogError, match="damaged log segment"):
            balance(InferenceLog(setup, "flights"))
    segment.write_bytes(content)
    segment.unlink()
    with pytest.raises(LogError, match="bytes is missing"):
        balance(InferenceLog(setup, "flights"))
    assert open_files(stream) == before == []


def open_files(folder: Path) -> list[str]:
    """Files below a folder that this process has open."""
    return [file.path for file in psutil.Process().open_files() if Path(file.path).parent == folder]


def test_a_disk_that_refuses_a_repair_is_named(setup: Settings) -> None:
    """Nothing is lost by it; the next repair may succeed."""
    write_segments(setup, 2, 4)
    folder = stream_folder(setup, "flights", "a", "requests")
    segment = stream_segments(folder)[0].path
    segment.write_bytes(segment.read_bytes()[:-9])
    (folder / "damaged").write_bytes(b"")
    with pytest.raises(LogUnavailable, match=rf"cannot repair the log: .*{folder}/damaged"):
        repair(setup, "flights")
    (folder / "damaged").unlink()
    assert repair(setup, "flights").lost_rows
