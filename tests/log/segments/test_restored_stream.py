"""A stream's folder that is older than the sealed table."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gnomon.log import InferenceLog, Position, SegmentWriter
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import stream_segments
from gnomon.log.segments.restored_stream import is_restored, sealed_number
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.log_files import write_lettered_segments
from tests.log.rows import REQUESTS_SCHEMA, live, settings


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path, spool=str(tmp_path / "spool"))


def ids(setup: Settings) -> list[str]:
    column = InferenceLog(setup, "flights").table(columns=["request_id"])["request_id"]
    return sorted(column.to_pylist())


def test_what_is_written_after_a_restore_is_sealed(setup: Settings, tmp_path: Path) -> None:
    """New segments have numbers that were never used, or they would be removed as already
    sealed.
    """
    folder = write_lettered_segments(setup, "ab")
    Sealer(setup, "flights").seal()
    shutil.copytree(setup.spool_path, tmp_path / "backup")
    write_lettered_segments(setup, "c", "d", "e")
    Sealer(setup, "flights").seal()
    assert not is_restored(setup, folder)
    shutil.rmtree(setup.spool_path)
    shutil.copytree(tmp_path / "backup", setup.spool_path)
    assert is_restored(setup, folder)
    assert sealed_number(setup, folder) > stream_segments(folder)[-1].sequence
    write_lettered_segments(setup, "f", "g", "h")
    assert not is_restored(setup, folder)
    for _ in range(2):
        assert ids(setup) == [*"abcdefgh"]
        assert balance(InferenceLog(setup, "flights")).balanced
        Sealer(setup, "flights").seal()
    assert repair(setup, "flights").is_whole


def test_a_writer_begins_where_no_ledger_can_be_read(
    setup: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Live continues; readers of the log report the damaged ledger."""
    folder = write_lettered_segments(setup, "a")
    Sealer(setup, "flights").seal()
    [ledger] = Path(setup.root, "sealed", "flights").glob("*.json")
    ledger.write_bytes(b"{")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    writer.append(live(["b"]))
    assert writer.position > Position(0, 0)
    writer.close()
    assert "it is unknown what was sealed" in caplog.text
