"""Damage of the open segment while its server continues to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnomon.errors import LogError
from gnomon.log import InferenceLog, SegmentWriter, new_request_id, stream_segments
from gnomon.log.repair.repair import repair
from gnomon.log.segments.layout import stream_folder
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.rows import REQUESTS_SCHEMA, live, settings


def damaged(tmp_path: Path, change: int, garbage: bytes) -> tuple[Settings, list[str]]:
    """Ids of 6 requests; after the third the file is cut by so many bytes and garbage added."""
    setup = settings(tmp_path)
    folder = stream_folder(setup, "flights", "a", "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    ids = [new_request_id() for _ in range(6)]
    for number, request_id in enumerate(ids):
        if number == 3:
            with stream_segments(folder)[-1].path.open("r+b") as file:
                size = file.seek(0, 2)
                file.truncate(size - change)
                file.seek(0, 2)
                file.write(garbage)
        writer.append(live([request_id]))
    writer.rotate()
    writer.close()
    return setup, ids


@pytest.mark.parametrize("garbage", [b"garbage!" * 20, b"garbage!"])
def test_a_gap_smaller_than_any_batch_can_be_repaired(tmp_path: Path, garbage: bytes) -> None:
    setup, ids = damaged(tmp_path, 0, garbage)
    repair(setup, "flights")
    table = InferenceLog(setup, "flights").table(columns=["request_id"])
    assert sorted(table["request_id"].to_pylist()) == sorted(ids)


def test_whole_batches_after_an_odd_cut_are_kept(tmp_path: Path) -> None:
    """Every whole batch is kept (docs/log.md): only the third request is damaged."""
    setup, ids = damaged(tmp_path, 300, b"")
    repair(setup, "flights")
    table = InferenceLog(setup, "flights").table(columns=["request_id"])
    assert sorted(table["request_id"].to_pylist()) == sorted(ids[:2] + ids[3:])


def test_the_accounts_report_damage(tmp_path: Path) -> None:
    setup, _ = damaged(tmp_path, 0, b"garbage!" * 200)
    with pytest.raises(LogError, match="damaged log segment"):
        balance(InferenceLog(setup, "flights"))
    with pytest.raises(LogError, match="damaged log segment"):
        InferenceLog(setup, "flights").sql("SELECT count(*) FROM log")
