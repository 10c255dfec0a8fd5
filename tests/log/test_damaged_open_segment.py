"""The open segment of a killed writer, damaged before another process uses it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gnomon.errors import LogError
from gnomon.log import InferenceLog, SegmentWriter
from gnomon.log.repair.repair import repair
from gnomon.log.segments.layout import stream_folder, stream_segments
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.rows import REQUESTS_SCHEMA, live, settings


def halve(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def shorten(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-300] ^= 1
    file.write_bytes(content)


def killed(tmp_path: Path, *, synced: bool) -> tuple[Settings, Path]:
    """Three rows in a segment whose writer ended without closing it."""
    setup = settings(tmp_path)
    folder = stream_folder(setup, "flights", "a", "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    for request_id in "abc":
        writer.append(live([request_id]))
    if synced:
        writer.fsync()
    writer._lock.close()
    return setup, stream_segments(folder)[-1].path


@pytest.mark.parametrize("damage", [halve, shorten, empty, flip])
def test_missing_synced_rows_of_an_open_segment_are_reported(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """The accounts name the file, before a server or a sealer has looked at it."""
    setup, file = killed(tmp_path, synced=True)
    assert balance(InferenceLog(setup, "flights")).live.received == 3
    damage(file)
    with pytest.raises(LogError, match="damaged log segment"):
        balance(InferenceLog(setup, "flights"))
    done = repair(setup, "flights")
    assert done.lost_rows
    assert [lost.segment for lost in done.segments] == [file]
    accounts = balance(InferenceLog(setup, "flights"))
    assert accounts.live.received < 3
    assert "lost to damage" in accounts.explain()
    assert repair(setup, "flights").is_whole


@pytest.mark.parametrize("damage", [halve, shorten, empty])
def test_unsynced_rows_of_an_open_segment_may_be_torn(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """That is what a loss of power leaves; it is no damage."""
    setup, file = killed(tmp_path, synced=False)
    damage(file)
    assert repair(setup, "flights").is_whole
