"""The segment that recovery begins is the only one left once the others are sealed.

A power loss must not remove it, as it has the stream's position and the run of a shadow.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gnomon.log import InferenceLog, SegmentWriter, new_request_id, stream_segments
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import stream_folder
from gnomon.log.segments.recovery import recover
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.rows import REQUESTS_SCHEMA, live, settings


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path)


def test_the_segment_that_a_recovery_begins_is_synced(
    setup: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a power loss leaves its name without content (ext4, delayed allocation)."""
    folder = stream_folder(setup, "flights", "a", "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    writer.append(live([new_request_id()]))
    writer.close()
    synced: set[int] = set()
    for name in ("fsync", "fdatasync"):
        real = getattr(os, name)

        def sync(descriptor: int, real: object = real) -> None:
            synced.add(os.fstat(descriptor).st_ino)
            real(descriptor)  # type: ignore[operator]

        monkeypatch.setattr(os, name, sync)
    recover(folder)
    newest = stream_segments(folder)[-1]
    Sealer(setup, "flights").seal()
    assert [s.path for s in stream_segments(folder)] == [newest.path]
    assert newest.path.stat().st_ino in synced


def lose_power(folder: Path) -> None:
    """Remove the unsynced content of the newest segment, but not its name."""
    newest = stream_segments(folder)[-1]
    os.truncate(newest.path, 0)


def test_requests_after_a_recovery_survive_a_power_loss(setup: Settings) -> None:
    """A number is never reused, so later rows are not treated as sealed."""
    folder = stream_folder(setup, "flights", "a", "requests")
    ids = []
    for _ in range(2):
        writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
        for _ in range(3):
            ids.append(new_request_id())
            writer.rotate()
            writer.append(live([ids[-1]]))
        writer.close()
        Sealer(setup, "flights").seal()
        lose_power(folder)
    Sealer(setup, "flights").seal()
    log = InferenceLog(setup, "flights")
    assert sorted(log.table(columns=["request_id"])["request_id"].to_pylist()) == sorted(ids)
    assert balance(log).balanced
