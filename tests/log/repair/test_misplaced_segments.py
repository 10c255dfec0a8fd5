"""Mirrors ``gnomon.log.repair.misplaced_segments``: files exchanged, copied or renamed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gnomon.log import InferenceLog
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import stream_segments
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.log_files import exchange, write_lettered_segments
from tests.log.rows import settings


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path)


def test_exchanged_segments_are_put_back(setup: Settings) -> None:
    """Their headers say where they belong, so nothing is lost."""
    folder = write_lettered_segments(setup, "ab", "cde", "f")
    first, _, third, *_ = (segment.path for segment in stream_segments(folder))
    exchange(first, third)
    done = repair(setup, "flights")
    assert set(done.returned) == {str(first), str(third)}
    assert not done.misplaced
    assert not done.lost_rows
    assert balance(InferenceLog(setup, "flights")).live.received == 6
    assert Sealer(setup, "flights").seal() > 2
    assert balance(InferenceLog(setup, "flights")).live.received == 6
    assert repair(setup, "flights").is_whole


def test_a_segment_in_the_place_of_another_is_put_back(setup: Settings) -> None:
    """What it replaced is lost; a copy of one that is in its place is moved aside, and an earlier
    file that was moved aside under its name is kept."""
    folder = write_lettered_segments(setup, "ab", "cde", "f")
    first, second, third, *_ = (segment.path for segment in stream_segments(folder))
    shutil.copy(first, third)
    done = repair(setup, "flights")
    assert done.misplaced == (str(folder / "damaged" / third.name),)
    assert list(done.missing) == [str(third)]
    second.replace(third)
    done = repair(setup, "flights")
    assert done.returned == (str(second),)
    assert not done.lost_rows
    assert (folder / "damaged" / third.name).read_bytes() == first.read_bytes()
    assert balance(InferenceLog(setup, "flights")).live.received == 5


def test_a_damaged_segment_is_not_put_back(setup: Settings) -> None:
    """It stays where it was moved to, and counts as lost."""
    folder = write_lettered_segments(setup, "ab", "cde")
    first, second, *_ = (segment.path for segment in stream_segments(folder))
    exchange(first, second)
    content = bytearray(second.read_bytes())
    content[-20] ^= 1
    second.write_bytes(content)
    done = repair(setup, "flights")
    assert done.returned == (str(second),)
    assert list(done.missing) == [str(first)]
    assert len(done.misplaced) == 1
    assert balance(InferenceLog(setup, "flights")).live.received == 3
