from datetime import UTC, datetime, timedelta

import pytest

from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.shadow.heartbeats import Heartbeat, ShadowBeat
from gnomon.storage import Storage


@pytest.fixture
def storage(settings: Settings) -> Storage:
    return Storage(settings)


def beat(name: str, **more: object) -> Heartbeat:
    started = datetime(2026, 1, 1, tzinfo=UTC)
    return Heartbeat(model="toy", slice=name, host="h", pid=7, started=started, **more)  # type: ignore[arg-type]


def test_every_slice_is_read_as_it_last_wrote(storage: Storage) -> None:
    """Each slice has one file, replaced each time; another model's are not mixed in."""
    shadow = ShadowBeat(artifact="toy:b", epoch=2, scored=5, lagging=1)
    heartbeats.write(storage, beat("one", epoch=1))
    heartbeats.write(storage, beat("one", epoch=2, live="toy:a", shadows=(shadow,)))
    heartbeats.write(storage, beat("two"))
    found = heartbeats.read(storage, "toy")
    assert [(b.slice, b.epoch) for b in found] == [("one", 2), ("two", 0)]
    assert found[0].shadow("toy:b") == shadow
    assert found[0].shadow("toy:c") is None
    assert heartbeats.read(storage, "other") == []


def test_a_slice_that_reports_seldom_is_not_taken_for_gone() -> None:
    """It is gone after five missed reports; a slice that reports often, after 15 seconds."""
    now = datetime.now(UTC)
    for often, seconds, stale in (
        (0.5, 14, False),
        (0.5, 16, True),
        (20, 99, False),
        (20, 101, True),
    ):
        updated = now - timedelta(seconds=seconds)
        assert beat("one", updated=updated, follow_seconds=often).is_stale(now) is stale


def test_a_silent_slice_is_stale(storage: Storage) -> None:
    """A silent slice is gone or cut off; it is marked and not left out."""
    ago = datetime.now(UTC) - timedelta(minutes=1)
    heartbeats.write(storage, beat("gone", updated=ago))
    heartbeats.write(storage, beat("here"))
    assert {b.slice: b.is_stale() for b in heartbeats.read(storage, "toy")} == {
        "gone": True,
        "here": False,
    }


def test_a_slice_that_ended_is_forgotten(storage: Storage) -> None:
    """A slice that ends in good order takes its file away; twice does no harm."""
    heartbeats.write(storage, beat("one"))
    heartbeats.remove(storage, "toy", "one")
    heartbeats.remove(storage, "toy", "one")
    assert heartbeats.read(storage, "toy") == []


def test_what_cannot_be_read_is_named_and_hides_none_of_the_others(storage: Storage) -> None:
    """A broken or newer file is distinguished from a slice that does not exist."""
    heartbeats.write(storage, beat("one"))
    heartbeats.write(storage, beat("later", format=2))
    storage.write("slices/toy/broken.json", b"{")
    found = heartbeats.find(storage, "toy")
    assert [b.slice for b in found.beats] == ["one"]
    assert list(found.unreadable) == ["broken", "later"]
    assert "slices/toy/later.json" in str(found.unreadable["later"])
    assert "has format 2" in str(found.unreadable["later"])
