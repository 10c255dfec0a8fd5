"""Segments that were exchanged, copied or renamed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gnomon.errors import LogError
from gnomon.log import InferenceLog, SegmentWriter
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import stream_folder, stream_segments
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.log_files import exchange, logged, write_lettered_segments, write_segment
from tests.log.rows import REQUESTS_SCHEMA, live, settings


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
    """The replaced segment is lost; a copy of a segment that is in its place is moved aside, and
    an earlier file of that name is kept.
    """
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


def write(setup: Settings) -> list[str]:
    """Four closed segments of three rows, of which the first is sealed; all request ids."""
    ids = write_segment(setup)
    Sealer(setup, "flights").seal()
    return sorted(ids + [request_id for _ in range(3) for request_id in write_segment(setup)])


@pytest.mark.parametrize("copy", ["b", "a/requests-copy"])
def test_a_copied_folder_is_not_a_loss(setup: Settings, copy: str) -> None:
    """Its list of closed segments names segments that were never written there.

    Copies are moved aside, also when the list is read again.
    """
    ids = write(setup)
    spool = setup.spool_path / "flights"
    shutil.copytree(spool / "a" if "/" not in copy else spool / "a" / "requests", spool / copy)
    done = repair(setup, "flights")
    assert not done.lost_rows
    assert done.misplaced
    accounts = balance(InferenceLog(setup, "flights"))
    assert accounts.balanced
    assert not accounts.damaged
    assert repair(setup, "flights").is_whole
    Sealer(setup, "flights").seal()
    assert logged(setup) == ids


def test_a_copy_of_a_folder_whose_segments_were_sealed_is_no_loss(setup: Settings) -> None:
    """Its list still names those that were sealed and removed before it was copied."""
    ids = write_segment(setup)
    folder = stream_folder(setup, "flights", "a", "requests")
    listed = (folder / "closed.json").read_bytes()
    Sealer(setup, "flights").seal()
    (folder / "closed.json").write_bytes(listed)  # As until the writer closes another segment.
    shutil.copytree(folder.parent, folder.parent.with_name("b"))
    assert not repair(setup, "flights").lost_rows
    assert logged(setup) == sorted(ids)
    assert repair(setup, "flights").is_whole


def test_a_renamed_folder_gets_its_name_back(setup: Settings) -> None:
    """It gets all its content back: the segments contain its name."""
    ids = write(setup)
    spool = setup.spool_path / "flights"
    (spool / "a").rename(spool / "b")
    done = repair(setup, "flights")
    assert done.returned == (str(spool / "a" / "requests"),)
    assert not (spool / "b").exists()
    assert logged(setup) == ids
    Sealer(setup, "flights").seal()
    assert logged(setup) == ids


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("interrupted", [False, True])
def test_rows_of_an_earlier_folder_go_into_the_table(
    setup: Settings, interrupted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renamed folder whose name a new one has: the segments of both have the same numbers."""
    ids = write(setup)
    spool = setup.spool_path / "flights"
    (spool / "a").rename(spool / "b")
    ids = sorted(ids + write_segment(setup))
    if interrupted:
        with monkeypatch.context() as patched:
            patched.setattr("gnomon.log.repair.repair.place", failing)
            with pytest.raises(LogError):
                repair(setup, "flights")
    done = repair(setup, "flights")
    assert not done.lost_rows
    assert sum(done.sealed.values()) == 9
    slices = set(InferenceLog(setup, "flights").table(columns=["slice"])["slice"].to_pylist())
    assert len(slices) == 2  # No address is used twice, and no shadow of the new one saw them.
    for _ in range(2):
        assert logged(setup) == ids
        assert balance(InferenceLog(setup, "flights")).balanced
        assert repair(setup, "flights").is_whole
        Sealer(setup, "flights").seal()


@pytest.mark.slow
def test_a_folder_that_is_restored_after_its_rows_went_into_the_table(setup: Settings) -> None:
    """Its segments are in their places, but repair found them elsewhere before: they are moved
    aside, and no row is read or sealed a second time.
    """
    ids = write(setup)
    spool = setup.spool_path / "flights"
    shutil.copytree(spool / "a", spool.parent / "backup")
    (spool / "a").rename(spool / "b")
    ids = sorted(ids + write_segment(setup))
    repair(setup, "flights")
    Sealer(setup, "flights").seal()
    shutil.rmtree(spool / "a")
    shutil.copytree(spool.parent / "backup", spool / "a")
    assert logged(setup) == ids
    with pytest.raises(LogError, match="gnomon log repair moves it aside"):
        Sealer(setup, "flights").seal()
    assert logged(setup) == ids
    done = repair(setup, "flights")
    assert not done.lost_rows
    assert len(done.misplaced) == 3
    for _ in range(2):
        assert logged(setup) == ids
        assert balance(InferenceLog(setup, "flights")).balanced
        assert repair(setup, "flights").is_whole
        ids = sorted(ids + write_segment(setup))
        Sealer(setup, "flights").seal()


def failing(*_: object) -> None:
    raise LogError("the disk is full")


def test_segments_of_an_earlier_folder_among_new_ones_are_not_a_loss(setup: Settings) -> None:
    """They were put back into the folder that replaced theirs.

    Sealed under its name, they would be reported as missing, and the new ones would be counted from
    the beginning again.
    """
    ids = write(setup)
    folder = stream_folder(setup, "flights", "a", "requests")
    backup = folder.with_name("kept")
    folder.rename(backup)
    new = write_segment(setup)
    names = {path.name for path in folder.glob("*.arrows")}
    for path in backup.glob("*.arrows"):
        if path.name not in names:
            path.replace(folder / path.name)
    shutil.rmtree(backup)
    with pytest.raises(LogError, match="an earlier folder of this stream"):
        logged(setup)
    done = repair(setup, "flights")
    assert not done.lost_rows
    assert logged(setup) == sorted(ids + new)
    Sealer(setup, "flights").seal()
    write_segment(setup)
    Sealer(setup, "flights").seal()
    assert balance(InferenceLog(setup, "flights")).balanced
    assert repair(setup, "flights").is_whole


@pytest.mark.parametrize("sealed", [False, True])
def test_a_segment_whose_place_is_taken_loses_no_row(setup: Settings, sealed: bool) -> None:
    """The stream was restored from a backup and went on: two segments have one number."""
    ids = write_segment(setup)
    folder = stream_folder(setup, "flights", "a", "requests")
    shutil.copytree(folder, setup.spool_path / "backup")
    ids += write_segment(setup)
    shutil.copytree(folder.parent, folder.parent.with_name("copy"))
    shutil.rmtree(folder)
    (setup.spool_path / "backup").rename(folder)
    ids += write_segment(setup)
    if sealed:
        with pytest.raises(LogError):  # The copy is in the way, but not of this stream.
            Sealer(setup, "flights").seal()
    done = repair(setup, "flights")
    assert not done.lost_rows
    assert sum(done.sealed.values()) == 3
    assert logged(setup) == sorted(ids)
    Sealer(setup, "flights").seal()
    assert logged(setup) == sorted(ids)
    assert balance(InferenceLog(setup, "flights")).balanced
    assert repair(setup, "flights").is_whole


def copies_while_written(setup: Settings, *texts: str) -> list[Path]:
    """A segment that gets a row for each letter; copies of its folder, one after each text."""
    folder = stream_folder(setup, "flights", "a", "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    copies = []
    for text in texts:
        for letter in text:
            writer.append(live([letter]))
        writer.fsync()
        copies.append(Path(shutil.copytree(folder, setup.spool_path / f"backup-{text}")))
    writer.close()
    return copies


@pytest.mark.parametrize("sealed", [False, True])
def test_a_longer_version_of_a_segment_adds_the_rows_that_are_new(
    setup: Settings, sealed: bool
) -> None:
    """A backup of the open segment was restored, and what it replaced was kept beside it: the rows
    of both were there twice, or the later ones never once the shorter was sealed."""
    backup, *_ = copies_while_written(setup, "ab", "cd", "ef")
    folder = stream_folder(setup, "flights", "a", "requests")
    folder.rename(folder.with_name("kept"))
    backup.rename(folder)
    if sealed:
        write_lettered_segments(setup, "x")
        with pytest.raises(LogError):  # What was kept is in the way, but not of this stream.
            Sealer(setup, "flights").seal()
    done = repair(setup, "flights")
    assert sum(done.sealed.values()) == 4
    assert logged(setup) == [*"abcdef", *"x" * sealed]
    Sealer(setup, "flights").seal()
    assert logged(setup) == [*"abcdef", *"x" * sealed]
    assert balance(InferenceLog(setup, "flights")).balanced
    assert repair(setup, "flights").is_whole


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 2, 0), (2, 0, 1)])
def test_versions_of_a_segment_are_found_in_any_order(
    setup: Settings, order: tuple[int, ...]
) -> None:
    """Its own place has another segment, and each repair finds one more copy."""
    copies = copies_while_written(setup, "ab", "cd", "ef")
    shutil.rmtree(stream_folder(setup, "flights", "a", "requests"))
    write_lettered_segments(setup, "x")
    for number in order:
        copies[number].rename(setup.spool_path / "flights" / "a" / "kept")
        repair(setup, "flights")
        shutil.rmtree(setup.spool_path / "flights" / "a" / "kept")
    assert logged(setup) == [*"abcdefx"]
    assert balance(InferenceLog(setup, "flights")).balanced


def test_a_size_that_another_segment_had_is_not_its_own(setup: Settings) -> None:
    """Segments were exchanged after a crash: the next writer listed one with the size of the other,
    and repair took it for damaged."""
    copies_while_written(setup, "ab")
    folder = write_lettered_segments(setup, "c")
    first, second, last = (segment.path for segment in stream_segments(folder))
    (folder / "closed.json").unlink()
    exchange(first, second)
    exchange(second, last)
    write_lettered_segments(setup, "d")
    done = repair(setup, "flights")
    assert not done.unread
    assert logged(setup) == [*"abcd"]
    Sealer(setup, "flights").seal()
    assert logged(setup) == [*"abcd"]
    assert repair(setup, "flights").is_whole


@pytest.mark.parametrize("place", ["a/kept", "b/requests"])
def test_what_a_backup_lacks_comes_from_the_segment_beside_it(setup: Settings, place: str) -> None:
    """An older version of a closed segment was put over it: the rows that it lacks were not taken
    from the complete one."""
    old, new = copies_while_written(setup, "ab", "cd")
    folder = stream_folder(setup, "flights", "a", "requests")
    write_lettered_segments(setup, "x")
    shutil.copy(old / "00000000.arrows", folder)
    new.rename(files_of(setup, place))
    repair(setup, "flights")
    for _ in range(2):
        assert logged(setup) == [*"abcdx"]
        assert repair(setup, "flights").is_whole
        Sealer(setup, "flights").seal()
    assert balance(InferenceLog(setup, "flights")).balanced


def files_of(setup: Settings, stream: str) -> Path:
    """The folder of a stream that has none yet."""
    folder = setup.spool_path / "flights" / stream
    folder.parent.mkdir(exist_ok=True)
    return folder
