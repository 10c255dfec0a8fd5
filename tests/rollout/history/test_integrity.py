"""An incomplete rollout history is refused, with the name of the problem."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from gnomon.errors import HistoryDamaged, NewerFormat, RolloutError, UnreadableFile
from gnomon.rollout.history import History, RolloutEvent, RolloutState, integrity
from gnomon.rollout.history.integrity import HistoryEnd
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.shadow.heartbeats import Heartbeat, RolloutPosition
from gnomon.storage import Storage
from tests.bucket import BUCKETS, bucket

TAGS = ("a", "b", "c", "d", "e")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five promotions of flights; where their events are."""
    history = History(storage_of(tmp_path), "flights")
    for tag in TAGS:
        history.append(promotion(tag))
    return tmp_path / "rollout/flights"


def storage_of(root: Path) -> Storage:
    return Storage(Settings(root=str(root)))


def promotion(tag: str) -> RolloutEvent:
    return RolloutEvent(kind="promote", artifact=f"flights:{tag}")


def refreshed(folder: Path) -> History:
    """The history as a server that starts reads it."""
    history = History(storage_of(folder.parents[1]), "flights")
    history.refresh()
    return history


def refused(folder: Path) -> tuple[str, list[str]]:
    """What a server that starts says; and the artifacts of the events that it could read."""
    history = History(storage_of(folder.parents[1]), "flights")
    with pytest.raises(HistoryDamaged) as caught:
        history.refresh()
    return str(caught.value), [event.artifact.partition(":")[2] for event in history.events]


def forget_heads(root: Path) -> None:
    """Remove the heads: under a root of an earlier version nothing else says how many events
    there were.
    """
    shutil.rmtree(root / "heads")


def test_each_event_holds_the_hash_of_the_one_before(folder: Path) -> None:
    """The hash is of its exact bytes; the first event holds none."""
    events = [msgspec.json.decode(path.read_bytes()) for path in sorted(folder.iterdir())]
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())]
    assert [event["previous_sha256"] for event in events] == [None, *hashes[:-1]]
    assert {event["format"] for event in events} == {3}
    assert refreshed(folder).state.lives == tuple(f"flights:{tag}" for tag in TAGS)


def test_a_gap_is_named_with_what_comes_after_it(folder: Path) -> None:
    """The missing number, the files after it, and what to do."""
    (folder / "000002.json").unlink()
    said, kept = refused(folder)
    assert "000002.json is missing; after it there are 000003.json, 000004.json" in said
    assert "restore rollout/flights from a backup" in said
    assert kept == ["a", "b"]


def emptied(folder: Path) -> None:
    (folder / "000002.json").write_bytes(b"")


def zeroed(folder: Path) -> None:
    """Fill a file with zeros, as some file systems do if its size was written before its bytes."""
    path = folder / "000002.json"
    path.write_bytes(b"\0" * path.stat().st_size)


def cut(folder: Path) -> None:
    path = folder / "000002.json"
    path.write_bytes(path.read_bytes()[:40])


def not_json(folder: Path) -> None:
    (folder / "000002.json").write_bytes(b"promote it")


def not_utf8(folder: Path) -> None:
    path = folder / "000002.json"
    path.write_bytes(path.read_bytes().replace(b"flights:c", b"flights:\xff"))


def without_format(folder: Path) -> None:
    (folder / "000002.json").write_bytes(b'{"kind": "promote", "artifact": "flights:c"}')


def changed(folder: Path) -> None:
    path = folder / "000002.json"
    path.write_bytes(path.read_bytes().replace(b"flights:c", b"flights:x"))


def respaced(folder: Path) -> None:
    """The meaning is the same, but the bytes differ from what was recorded."""
    path = folder / "000002.json"
    path.write_bytes(path.read_bytes() + b"\n")


def replaced(folder: Path) -> None:
    (folder / "000002.json").write_bytes((folder / "000001.json").read_bytes())


def swapped(folder: Path) -> None:
    two, three = folder / "000002.json", folder / "000003.json"
    first, second = two.read_bytes(), three.read_bytes()
    two.write_bytes(second)
    three.write_bytes(first)


def unhashed(folder: Path) -> None:
    """An event of format 1 among those of format 2, which has no hash."""
    path = folder / "000002.json"
    event = msgspec.json.decode(path.read_bytes())
    del event["previous_sha256"]
    path.write_bytes(msgspec.json.encode({**event, "format": 1}))


def closed_up(folder: Path) -> None:
    """One taken out, and the later ones renamed to fill its place."""
    for number in range(2, 4):
        (folder / f"{number + 1:06d}.json").replace(folder / f"{number:06d}.json")


def first_with_a_past(folder: Path) -> None:
    (folder / "000000.json").write_bytes((folder / "000002.json").read_bytes())


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (emptied, "000002"), (zeroed, "000002"), (cut, "000002"), (not_json, "000002"),
        (not_utf8, "000002"), (without_format, "000002"), (changed, "000002"),
        (respaced, "000002"), (replaced, "000002"), (swapped, "000002"), (unhashed, "000002"),
        (closed_up, "000002"), (first_with_a_past, "000000"),
    ],
)  # fmt: skip
def test_damage_inside_is_named(folder: Path, damage: Callable[[Path], None], name: str) -> None:
    """Whatever happened to an event, the error names its file, and no state is derived from it."""
    forget_heads(folder.parents[1])
    damage(folder)
    said, kept = refused(folder)
    assert f"{name}.json" in said
    assert len(kept) <= 3


@pytest.mark.parametrize(
    "name", ["1.json", "0000001.json", "00000a.json", "-00001.json", "000001 (copy).json"]
)
def test_a_file_that_could_be_taken_for_an_event_is_named(folder: Path, name: str) -> None:
    """A wrong number in the name, or a copy that a synchronizing tool made."""
    (folder / name).write_bytes((folder / "000001.json").read_bytes())
    said, kept = refused(folder)
    assert f"{name} is not the name of an event" in said
    assert kept == list(TAGS)


def test_hidden_files_are_no_events(folder: Path) -> None:
    """Files of a file manager, or of a writer that died, change nothing."""
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / ".000005.json.1a2b3c4d.new").write_bytes(b'{"format"')
    (folder / "README").write_text("do not touch")
    assert refreshed(folder).state.epoch == 5


def test_events_beyond_six_digits_go_on(tmp_path: Path) -> None:
    """The number after 999,999 has seven digits, and order is by number."""
    history = History(storage_of(tmp_path), "flights")
    history.state = RolloutState(epoch=999_999)
    history.append(promotion("a"))
    history.append(promotion("b"))
    names = sorted(path.name for path in (tmp_path / "rollout/flights").iterdir())
    assert names == ["1000000.json", "999999.json"]
    said, _ = refused(tmp_path / "rollout/flights")
    assert "000000.json is missing; after it there are 999999.json, 1000000.json" in said


@pytest.mark.parametrize("lost", [1, 2, 5])
def test_an_end_that_was_cut_off_is_noticed(folder: Path, lost: int) -> None:
    """``heads/flights.json`` says how many decisions there were; the missing ones are named."""
    for number in range(5 - lost, 5):
        (folder / f"{number:06d}.json").unlink()
    said, kept = refused(folder)
    assert f"ends after {5 - lost} decisions, but heads/flights.json says that there were 5" in said
    assert "000004.json" in said
    assert kept == list(TAGS[: 5 - lost])


def test_a_heartbeat_tells_of_a_lost_end_too(folder: Path) -> None:
    """A heartbeat of an earlier version, which has only the epoch, tells too."""
    root = folder.parents[1]
    forget_heads(root)
    beat = Heartbeat(
        model="flights", slice="one", host="h", pid=1, started=datetime.now(UTC), epoch=5
    )
    heartbeats.write(storage_of(root), beat)
    assert refreshed(folder).state.epoch == 5
    (folder / "000004.json").unlink()
    said, _ = refused(folder)
    assert "slices/flights/one.json says that there were 5; missing: 000004.json" in said


def test_a_changed_last_event_is_noticed(folder: Path) -> None:
    """No later event holds its hash, but the record elsewhere does."""
    path = folder / "000004.json"
    path.write_bytes(path.read_bytes().replace(b"flights:e", b"flights:x"))
    said, _ = refused(folder)
    assert "000004.json was changed or replaced" in said
    assert "heads/flights.json recorded" in said


def test_a_slice_that_starts_keeps_what_it_knows_of_a_lost_end(folder: Path) -> None:
    """Its own heartbeat must not erase the evidence."""
    (folder / "000004.json").unlink()
    history = History(storage_of(folder.parents[1]), "flights")
    with pytest.raises(HistoryDamaged):
        history.refresh()
    assert history.known.epoch == 5
    beat = Heartbeat(
        model="flights", slice="one", host="h", pid=1, started=datetime.now(UTC), epoch=4,
        recorded=RolloutPosition(epoch=history.known.epoch, sha256=history.known.sha256),
    )  # fmt: skip
    heartbeats.write(storage_of(folder.parents[1]), beat)
    forget_heads(folder.parents[1])
    assert "slices/flights/one.json says that there were 5" in refused(folder)[0]


def test_one_that_has_read_on_does_not_go_back(folder: Path) -> None:
    """A process that follows a history makes no decision after its end was lost or changed."""
    forget_heads(folder.parents[1])
    history = refreshed(folder)
    last = (folder / "000004.json").read_bytes()
    (folder / "000004.json").unlink()
    with pytest.raises(HistoryDamaged, match=r"000004\.json is missing since it was read"):
        history.append(promotion("f"))
    with pytest.raises(HistoryDamaged, match=r"000004\.json is missing"):
        history.check()
    (folder / "000004.json").write_bytes(last.replace(b"flights:e", b"flights:x"))
    with pytest.raises(HistoryDamaged, match=r"000004\.json was changed or replaced"):
        history.refresh()
    assert history.state.live == "flights:e"
    (folder / "000004.json").write_bytes(last)
    assert not history.refresh()
    history.append(promotion("f"))
    assert refreshed(folder).state.live == "flights:f"


def test_a_lost_event_inside_is_noticed_by_those_that_read_it_long_ago(folder: Path) -> None:
    """Although they do not need to read it again."""
    history = refreshed(folder)
    (folder / "000001.json").unlink()
    assert not history.refresh()
    with pytest.raises(HistoryDamaged, match=r"000001\.json is missing; after it"):
        history.check()


@pytest.mark.parametrize("content", [b"", b"{}", None])
def test_a_changed_event_inside_is_noticed_by_those_that_read_it_long_ago(
    folder: Path, content: bytes | None
) -> None:
    """They also notice if it was swapped for another valid event."""
    history = refreshed(folder)
    other = (folder / "000002.json").read_bytes() if content is None else content
    (folder / "000001.json").write_bytes(other)
    with pytest.raises(HistoryDamaged, match=r"000001\.json was changed or replaced since"):
        history.check()


def test_a_history_that_began_in_format_1_goes_on_in_format_2(tmp_path: Path) -> None:
    """The first new event holds the hash of the last old one; no old one may follow it."""
    folder = tmp_path / "rollout/flights"
    folder.mkdir(parents=True)
    for number, tag in enumerate("ab"):
        (folder / f"{number:06d}.json").write_text(
            f'{{"format": 1, "kind": "promote", "artifact": "flights:{tag}",'
            ' "at": "2026-01-02T03:04:05Z"}'
        )
    refreshed(folder).append(promotion("c"))
    assert refreshed(folder).state.lives == ("flights:a", "flights:b", "flights:c")
    forget_heads(tmp_path)
    (folder / "000003.json").write_text(
        '{"format": 1, "kind": "promote", "artifact": "flights:d", "at": "2026-01-02T03:04:05Z"}'
    )
    assert "000003.json lacks the hash of 000002.json" in refused(folder)[0]
    (folder / "000003.json").unlink()
    old = folder / "000001.json"
    old.write_bytes(old.read_bytes() + b" ")
    assert "000002.json was not recorded after 000001.json" in refused(folder)[0]


def test_an_event_that_does_not_follow_is_named(folder: Path) -> None:
    """Its hash is valid, but its content is not: the error names the file."""
    forget_heads(folder.parents[1])
    before = hashlib.sha256((folder / "000004.json").read_bytes()).hexdigest()
    event = msgspec.structs.replace(promotion("e"), previous_sha256=before)
    (folder / "000005.json").write_bytes(msgspec.json.encode(event))
    said, _ = refused(folder)
    assert "does not follow from those before it: `flights:e` is live already" in said
    assert "000005.json" in said


def test_a_newer_event_is_no_damage_and_no_absence(folder: Path) -> None:
    """It is refused with both versions; the state is that of the events before."""
    before = hashlib.sha256((folder / "000004.json").read_bytes()).hexdigest()
    (folder / "000005.json").write_bytes(
        msgspec.json.encode({"format": 4, "kind": "canary", "previous_sha256": before})
    )
    with pytest.raises(NewerFormat, match=r"format 4; .* reads up to 3 at .*000005\.json"):
        refreshed(folder)


def test_a_damaged_record_of_the_end_is_named(folder: Path) -> None:
    """It is evidence: an empty file is not treated as missing."""
    (folder.parents[1] / "heads/flights.json").write_bytes(b"")
    history = History(storage_of(folder.parents[1]), "flights")
    with pytest.raises(UnreadableFile, match=r"heads/flights\.json"):
        history.refresh()
    assert len(history.events) == 5


def test_a_decision_is_recorded_though_the_record_of_the_end_cannot_be(folder: Path) -> None:
    """The event is the decision; the rest is evidence."""
    heads = folder.parents[1] / "heads"
    shutil.rmtree(heads)
    heads.write_text("in the way")
    history = History(storage_of(folder.parents[1]), "flights")
    with pytest.raises(RolloutError, match="no previous artifact"):
        history.append(RolloutEvent(kind="rollback", artifact="flights:x"))
    heads.unlink()
    history.refresh()
    heads.write_text("in the way")
    history.append(promotion("f"))
    heads.unlink()
    assert refreshed(folder).state.live == "flights:f"


def test_what_elsewhere_is_behind_does_no_harm(folder: Path) -> None:
    """A record of an earlier end is consistent with a longer history."""
    root = folder.parents[1]
    first = hashlib.sha256((folder / "000000.json").read_bytes()).hexdigest()
    integrity.record(storage_of(root), "flights", HistoryEnd(epoch=1, sha256=first))
    assert refreshed(folder).state.epoch == 5


def test_a_new_history_can_be_begun(folder: Path) -> None:
    """The steps are those of ``docs/faults.md``: the evidence of the old history is moved away."""
    root = folder.parents[1]
    shutil.rmtree(folder)
    assert "ends after 0 decisions" in refused(folder)[0]
    (root / "heads/flights.json").unlink()
    history = refreshed(folder)
    history.append(promotion("e"))
    assert refreshed(folder).state.lives == ("flights:e",)


FOLLOW = """
import sys
from gnomon.settings import Settings
from gnomon.rollout.history import History
from gnomon.storage import Storage
print("ready", flush=True)
while True:
    history = History(Storage(Settings(root=sys.argv[1])), "flights")
    history.check()
    if history.state.epoch >= 60:
        break
print("whole")
"""


def test_readers_beside_a_writer_see_no_false_damage(tmp_path: Path) -> None:
    """Two processes check the history over and over while a third records sixty decisions."""
    followers = [
        subprocess.Popen(
            [sys.executable, "-c", FOLLOW, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for follower in followers:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "ready\n"
    history = History(storage_of(tmp_path), "flights")
    for number in range(60):
        history.append(promotion(str(number)))
    assert [follower.communicate(timeout=60)[0] for follower in followers] == ["whole\n"] * 2


@pytest.mark.parametrize("server", BUCKETS)
def test_a_bucket_is_held_to_the_same(tmp_path: Path, server: str) -> None:
    """On S3, too, a gap, a lost end and a stray copy are named, and hidden objects are ignored."""
    with bucket(server) as root:
        storage = Storage(Settings(root=root, spool=str(tmp_path)))
        history = History(storage, "flights")
        for tag in TAGS:
            history.append(promotion(tag))
        assert storage.read("heads/flights.json") is not None
        storage.write("rollout/flights/.DS_Store", b"1")
        fresh = History(storage, "flights")
        fresh.refresh()
        assert fresh.state == history.state
        last = storage.read("rollout/flights/000004.json")
        assert last is not None
        storage.remove("rollout/flights/000004.json")
        with pytest.raises(HistoryDamaged, match=r"000004\.json is missing since it was read"):
            history.append(promotion("f"))
        with pytest.raises(HistoryDamaged, match=r"there were 5; missing: 000004\.json"):
            History(storage, "flights").refresh()
        storage.write("rollout/flights/000004.json", last)
        storage.write("rollout/flights/4.json", last)
        with pytest.raises(HistoryDamaged, match=r"4\.json is not the name of an event"):
            History(storage, "flights").refresh()
        storage.remove("rollout/flights/4.json")
        storage.remove("rollout/flights/000001.json")
        with pytest.raises(HistoryDamaged, match=r"000001\.json is missing; after it there are"):
            History(storage, "flights").refresh()
