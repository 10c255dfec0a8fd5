"""Segments that were put back from a backup because their rows were lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnomon.errors import LogError
from gnomon.log import InferenceLog
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import stream_folder, stream_segments
from gnomon.log.segments.segment_writer import SegmentWriter
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.log_files import logged, write_segments
from tests.log.rows import REQUESTS_SCHEMA, settings


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path)


def folder_of(setup: Settings) -> Path:
    return stream_folder(setup, "flights", "a", "requests")


def lose_newest_commit(setup: Settings) -> None:
    """With the data file that it added."""
    table = Path(setup.root, "log", "flights")
    max(table.glob("_delta_log/*.json")).unlink()
    max(table.rglob("day=*/*.parquet"), key=lambda path: path.stat().st_mtime_ns).unlink()


def check_complete(setup: Settings, ids: list[str]) -> None:
    """Each row is there once, now and after sealing, and nothing is lost."""
    for _ in range(2):
        assert logged(setup) == sorted(ids)
        accounts = balance(InferenceLog(setup, "flights"))
        assert accounts.balanced, accounts.explain()
        Sealer(setup, "flights").seal()
        assert repair(setup, "flights").is_whole


@pytest.mark.slow
@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("counted", [False, True])
def test_rows_that_the_table_lost_are_taken_from_their_segment(
    setup: Settings, running: bool, counted: bool
) -> None:
    """It was put back before or after repair counted them as lost; the sealer does not remove it.
    A server that runs does not know of it.
    """
    ids = write_segments(setup, segments=1, rows=2)
    Sealer(setup, "flights").seal()
    ids += write_segments(setup, segments=1, rows=3)
    segment = max(stream_segments(folder_of(setup)), key=lambda one: one.path.stat().st_size)
    content = segment.path.read_bytes()
    Sealer(setup, "flights").seal()
    lose_newest_commit(setup)
    writer = SegmentWriter(folder_of(setup), REQUESTS_SCHEMA, settings=setup) if running else None
    if counted:
        assert repair(setup, "flights").lost_rows
        assert logged(setup) == sorted(ids[:2])
    segment.path.write_bytes(content)
    with pytest.raises(LogError, match="gnomon log repair"):
        Sealer(setup, "flights").seal()
    done = repair(setup, "flights")
    assert done.table is not None
    assert done.table.restored == {"a/requests": 3}
    assert not done.lost_rows
    check_complete(setup, ids)
    assert "lost" not in balance(InferenceLog(setup, "flights")).explain()
    if writer is not None:
        writer.close()


def test_an_unreadable_segment_is_replaced_by_a_copy(setup: Settings) -> None:
    """Later segments have been sealed since: its rows get a slice of their own in the table."""
    ids = write_segments(setup, segments=2, rows=3)
    first = stream_segments(folder_of(setup))[0].path
    content = first.read_bytes()
    first.write_bytes(bytes(100) + content[100:])
    assert repair(setup, "flights").lost_rows
    Sealer(setup, "flights").seal()
    assert logged(setup) == sorted(ids[3:])
    first.write_bytes(content)
    with pytest.raises(LogError, match="counted as lost and is there again"):
        Sealer(setup, "flights").seal()
    assert repair(setup, "flights").sealed == {str(first): 3}
    check_complete(setup, ids)


def test_rows_that_retention_removed_do_not_come_back(tmp_path: Path) -> None:
    """Also where other rows of the stream are recorded as lost."""
    setup = settings(tmp_path, retention_days=1.0)
    write_segments(setup, segments=1, rows=2)
    segment = max(stream_segments(folder_of(setup)), key=lambda one: one.path.stat().st_size)
    content = segment.path.read_bytes()
    Sealer(setup, "flights").seal()
    Sealer(setup, "flights").maintain()
    write_segments(setup, segments=1, rows=3)
    Sealer(setup, "flights").seal()
    lose_newest_commit(setup)
    assert repair(setup, "flights").lost_rows
    segment.path.write_bytes(content)
    assert repair(setup, "flights").is_whole
    Sealer(setup, "flights").seal()
    assert not segment.path.exists()
    assert logged(setup) == []
    assert balance(InferenceLog(setup, "flights")).balanced
