"""A deleted segment is reported as missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnomon.errors import LogError
from gnomon.log import InferenceLog
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.log.segments.closed_segments import closed_segments, filled_segments
from gnomon.log.segments.layout import Position, stream_folder, stream_segments
from gnomon.log.segments.missing_segments import missing_segments
from gnomon.log.segments.segment_writer import SegmentWriter
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.log_files import write_lettered_segments
from tests.log.rows import REQUESTS_SCHEMA, SHADOW_SCHEMA, live, settings, shadow


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path)


def never(_: str) -> int:
    return -1


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_missing_segment_is_reported_until_it_is_repaired(setup: Settings, which: int) -> None:
    """Sealing continues up to it, and the accounts do not balance."""
    folder = write_lettered_segments(setup, "ab", "cde", "fghi")
    gone = stream_segments(folder)[which].path
    gone.unlink()
    write_lettered_segments(setup, "j")  # A later rotation does not forget it.
    says = rf"a log segment of [\d,]+ bytes is missing.*{gone}.*gnomon log repair"
    with pytest.raises(LogError, match=says):
        balance(InferenceLog(setup, "flights"))
    for _ in range(2):
        with pytest.raises(LogError, match=says):
            Sealer(setup, "flights").seal()
    done = repair(setup, "flights")
    assert list(done.missing) == [str(gone)]
    assert done.lost_rows
    left = 10 - (2, 3, 4)[which]
    for _ in range(2):
        accounts = balance(InferenceLog(setup, "flights"))
        assert accounts.balanced
        assert accounts.live.received == left
        assert f"bytes of a/requests/0000000{which}, as gnomon log repair noted" in (
            accounts.explain()
        )
        Sealer(setup, "flights").seal()
    assert repair(setup, "flights").is_whole


def test_a_sealed_segment_is_not_missing(setup: Settings) -> None:
    """Its file was removed after sealing; the list forgets it later."""
    folder = write_lettered_segments(setup, "ab", "c")
    assert Sealer(setup, "flights").seal() == 2
    assert {0, 1} <= filled_segments(folder)
    assert missing_segments(folder, never)
    assert balance(InferenceLog(setup, "flights")).live.received == 3
    assert repair(setup, "flights").is_whole
    write_lettered_segments(setup, "d")
    write_lettered_segments(setup, "e")
    assert not {0, 1} & filled_segments(folder)
    assert not {0, 1} & closed_segments(folder).keys()


def test_a_segment_without_rows_is_not_missing(setup: Settings) -> None:
    """Nothing was in it; the sealer removes it without a note."""
    folder = write_lettered_segments(setup)
    write_lettered_segments(setup, "ab")
    (empty, *_) = stream_segments(folder)
    empty.path.unlink()
    assert Sealer(setup, "flights").seal() == 1
    assert balance(InferenceLog(setup, "flights")).live.received == 2


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("before", ["", "ab"])
def test_a_deleted_open_segment_is_reported(setup: Settings, before: str, goes_on: bool) -> None:
    """Its rows were on disk when its writer was killed; then it was deleted.

    It is reported whether or not the stream continues, although no list had it.
    """
    folder = write_lettered_segments(setup, *filter(None, [before]))
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    writer.append(live(["x"]))
    writer.fsync()
    writer._lock.close()
    gone = stream_segments(folder)[-1].path
    gone.unlink()
    if goes_on:
        write_lettered_segments(setup, "y")
    for _ in range(2):
        with pytest.raises(LogError, match=rf"a log segment of [\d,]+ bytes is missing.*{gone}"):
            balance(InferenceLog(setup, "flights"))
    assert list(repair(setup, "flights").missing) == [str(gone)]
    write_lettered_segments(setup, "z")
    accounts = balance(InferenceLog(setup, "flights"))
    assert accounts.balanced
    assert accounts.live.received == len(before) + goes_on + 1
    assert repair(setup, "flights").is_whole


def test_an_open_segment_without_rows_is_not_missing(setup: Settings) -> None:
    """Nothing was in it, also where it had been synced."""
    folder = write_lettered_segments(setup, "ab")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    writer.fsync()
    writer._lock.close()
    stream_segments(folder)[-1].path.unlink()
    assert balance(InferenceLog(setup, "flights")).live.received == 2
    write_lettered_segments(setup, "c")
    assert balance(InferenceLog(setup, "flights")).live.received == 3


def test_a_segment_that_a_killed_writer_left_open_is_reported(setup: Settings) -> None:
    """The next writer closes its segment and records that it has rows."""
    folder = stream_folder(setup, "flights", "a", "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    writer.append(live(["a"]))
    writer._lock.close()
    write_lettered_segments(setup)
    assert filled_segments(folder) == {0}


def test_a_missing_segment_of_a_shadow_is_reported(setup: Settings) -> None:
    """Its records are lost, and the rows that they were about are no longer awaited."""
    write_lettered_segments(setup, "ab")
    folder = stream_folder(setup, "flights", "a", "shadow-2")
    writer = SegmentWriter(folder, SHADOW_SCHEMA, settings=setup)
    writer.append(shadow(["a"], Position(0, 900)))
    writer.rotate()
    writer.append(shadow(["b"], Position(0, 1800)))
    writer.rotate()
    writer.close()
    stream_segments(folder)[0].path.unlink()
    done = repair(setup, "flights")
    assert len(done.missing) == 1
    assert balance(InferenceLog(setup, "flights")).balanced
