import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from gnomon.artifact.manifest import Combination, Part
from gnomon.errors import NewerFormat, RolloutConflict, RolloutError
from gnomon.rollout.history import History, Kind, RolloutEvent, fold
from gnomon.settings import Settings
from gnomon.storage import Storage


def event(kind: Kind, artifact: str, **more: object) -> RolloutEvent:
    return RolloutEvent(kind=kind, artifact=f"flights:{artifact}", **more)  # type: ignore[arg-type]


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(Settings(root=str(tmp_path)))


def test_the_history_is_the_state(storage: Storage) -> None:
    """Promote, shadow, promote the shadow, roll back: each state follows from the events."""
    history = History(storage, "flights")
    history.append(event("promote", "a"))
    history.append(event("shadow_start", "b", fraction=0.5))
    shadow = history.state.shadows["flights:b"]
    assert (shadow.fraction, shadow.since) == (0.5, 2)
    history.append(event("promote", "b"))
    assert (history.state.live, history.state.previous) == ("flights:b", "flights:a")
    assert history.state.shadows == {}
    history.append(event("rollback", "a"))
    assert (history.state.live, history.state.previous) == ("flights:a", None)
    assert history.state.epoch == 4

    other = History(storage, "flights")
    assert other.refresh()
    assert not other.refresh()
    assert other.state == history.state
    assert other.events == history.events


def test_rolling_back_twice_goes_back_two(storage: Storage) -> None:
    """A rollback removes the live artifact from the stack; it does not swap two."""
    promotions = [event("promote", tag) for tag in "abc"]
    state = fold([*promotions, event("rollback", "b"), event("rollback", "a")])
    assert (state.live, state.previous) == ("flights:a", None)


def test_rolling_back_to_a_shadow_stops_it(storage: Storage) -> None:
    """Whatever becomes live stops being a shadow."""
    state = fold(
        [event("promote", "a"), event("promote", "b"), event("shadow_start", "a"),
         event("rollback", "a")]
    )  # fmt: skip
    assert state.shadows == {}


PAST = [event("promote", "a"), event("promote", "b"), event("shadow_start", "c")]


@pytest.mark.parametrize(
    ("past", "decision", "message"),
    [
        ([], event("shadow_start", "a"), "no live artifact"),
        ([], event("rollback", "a"), "no previous artifact"),
        ([], event("shadow_stop", "a"), "not a running shadow. running: none"),
        (PAST, event("promote", "b"), "is live already"),
        (PAST, event("rollback", "c"), "goes to `flights:a`, not to `flights:c`"),
        (PAST, event("shadow_start", "b"), "would only agree with itself"),
        (PAST, event("shadow_start", "d", same=True), "`flights:d` is not live: `flights:b` is"),
        (PAST, event("shadow_start", "c"), "is a running shadow already"),
        (PAST, event("shadow_start", "d", fraction=0.0), "above 0 and up to 1, got 0.0"),
        (PAST, event("shadow_stop", "d"), "running: flights:c"),
    ],
)
def test_a_decision_that_does_not_follow_is_refused(
    storage: Storage, past: list[RolloutEvent], decision: RolloutEvent, message: str
) -> None:
    """An invalid decision is refused with the reason, and not recorded."""
    history = History(storage, "flights")
    for one in past:
        history.append(one)
    with pytest.raises(RolloutError) as caught:
        history.append(decision)
    assert message in str(caught.value)
    assert not History(storage, "flights").refresh() or len(history.events) == len(past)
    assert len(storage.names("rollout")) == len(past)


def test_live_against_itself_must_be_asked_for() -> None:
    """An A/A shadow measures the noise floor; `same` says it is meant."""
    state = fold([event("promote", "a"), event("shadow_start", "a", same=True)])
    assert list(state.shadows) == [state.live]


def test_another_against_itself_is_still_read(storage: Storage) -> None:
    """Earlier releases recorded such a shadow; what they decided stays as it was."""
    history = History(storage, "flights")
    history.append(event("promote", "a"))
    old = event("shadow_start", "b", same=True, previous_sha256=history.known.sha256)
    storage.create("rollout/flights/000001.json", msgspec.json.encode(old))
    assert History(storage, "flights").refresh()
    history.refresh()
    assert list(history.state.shadows) == ["flights:b"]
    assert history.state.candidates == 0


def test_candidates_are_counted_for_each_live_artifact() -> None:
    """Each run once, stopped ones too; live against itself is none; a rollback continues."""
    begun = [event("promote", "a"), event("shadow_start", "a", same=True)]
    begun += [event("shadow_start", "b"), event("shadow_stop", "b"), event("shadow_start", "c")]
    begun += [event("shadow_start", "b")]
    assert fold(begun).candidates == 3
    assert fold([*begun, event("promote", "b")]).candidates == 1  # c runs on
    after = [event("promote", "d"), event("rollback", "a")]
    assert fold([*begun, *after]).candidates == 3
    assert fold([*begun, event("promote", "d"), event("shadow_start", "e")]).candidates == 3
    more = [event("promote", "d"), event("shadow_start", "e"), event("rollback", "a")]
    assert fold([*begun, *more]).candidates == 4
    assert fold([*begun, event("shadow_stop", "c"), event("promote", "c")]).candidates == 1
    assert fold(begun).candidates_with("flights:b") == 3
    assert fold(begun).candidates_with("flights:x") == 4


def test_a_combined_shadow_is_no_candidate() -> None:
    """It is for debugging; the candidates keep the error that they share."""
    halves = Combination(
        model=Part(tag="flights:b", digest="b" * 64),
        preprocessing=Part(tag="flights:a", digest="a" * 64),
    )
    begun = [event("promote", "a"), event("shadow_start", "b-on-a", combination=halves)]
    state = fold([*begun, event("shadow_start", "b")])
    assert state.tried == ("flights:b",)
    assert state.shadows["flights:b-on-a"].combination == halves


def test_a_decision_on_an_old_state_conflicts(storage: Storage) -> None:
    """Of two decisions on one state the first is recorded, and the second gets an error."""
    one, two = History(storage, "flights"), History(storage, "flights")
    one.append(event("promote", "a"))
    with pytest.raises(RolloutConflict, match="recorded first"):
        two.append(event("promote", "b"))
    two.refresh()
    assert two.state.live == "flights:a"


def test_a_conflict_names_the_decision_that_won(storage: Storage) -> None:
    """Who lost the race learns what was decided, by whom and when; also if that is unreadable."""
    one, two = History(storage, "flights"), History(storage, "flights")
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    one.append(event("promote", "a", by="ann", at=at))
    with pytest.raises(RolloutConflict) as caught:
        two.append(event("promote", "b"))
    assert str(caught.value).startswith(
        "another rollout decision for `flights` was recorded first: promote flights:a by ann at "
        "2026-05-01 12:00:00 UTC at rollout/flights/000000.json"
    )
    storage.write("rollout/flights/000000.json", b"")
    with pytest.raises(RolloutConflict, match="was recorded first at rollout"):
        two.append(event("promote", "b"))


def test_a_write_whose_first_reply_was_lost_is_no_conflict(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket's client sends it again, and then finds its own event."""
    history, create = History(storage, "flights"), storage.create

    def sent_twice(name: str, content: bytes) -> bool:
        create(name, content)
        return create(name, content)

    monkeypatch.setattr(storage, "create", sent_twice)
    history.append(event("promote", "a"))
    assert history.state.live == "flights:a"


DECIDE = """
import sys
from gnomon.errors import RolloutConflict
from gnomon.settings import Settings
from gnomon.rollout.history import RolloutEvent, History
from gnomon.storage import Storage
history = History(Storage(Settings(root=sys.argv[1])), "flights")
print("ready", flush=True)
sys.stdin.readline()
wins = conflicts = 0
while wins < 20:
    history.refresh()
    try:
        history.append(RolloutEvent(kind="promote", artifact=f"flights:{sys.argv[2]}-{wins}"))
        wins += 1
    except RolloutConflict:
        conflicts += 1
print(wins, conflicts)
"""


def test_of_concurrent_decisions_exactly_one_wins(storage: Storage) -> None:
    """Three processes decide at once: every event is recorded once and the history folds."""
    deciders = [
        subprocess.Popen(
            [sys.executable, "-c", DECIDE, storage.root, str(n)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for n in range(3)
    ]  # fmt: skip
    for decider in deciders:
        assert decider.stdout is not None
        assert decider.stdout.readline() == "ready\n"
    for decider in deciders:
        assert decider.stdin is not None
        decider.stdin.write("go\n")
        decider.stdin.flush()
    for decider in deciders:
        assert decider.communicate()[0].startswith("20 ")
    history = History(storage, "flights")
    history.refresh()
    assert history.state.epoch == 60
    assert sorted(history.state.lives) == sorted(
        f"flights:{n}-{i}" for n in range(3) for i in range(20)
    )


def test_events_of_a_later_format_are_not_guessed_at(storage: Storage) -> None:
    """A newer format is refused by name; an unknown key of the same format is let be."""
    storage.create("rollout/flights/000000.json", b'{"format": 4, "kind": "explode"}')
    with pytest.raises(NewerFormat, match=r"format 4; .* reads up to 3 .*000000\.json.*upgrade"):
        History(storage, "flights").refresh()
    added = msgspec.json.decode(msgspec.json.encode(event("promote", "a"))) | {"new": 1}
    storage.create("rollout/other/000000.json", msgspec.json.encode(added))
    assert History(storage, "other").refresh()


def test_format_1_still_reads(storage: Storage) -> None:
    """An event written by the first version must always be readable."""
    storage.create(
        "rollout/flights/000000.json",
        b'{"format": 1, "kind": "promote", "artifact": "flights:a",'
        b' "at": "2026-01-02T03:04:05Z", "by": "ann"}',
    )
    history = History(storage, "flights")
    history.refresh()
    assert (history.state.live, history.events[0].by) == ("flights:a", "ann")


def test_a_broken_event_is_named(storage: Storage) -> None:
    """A hand-edited event that is no event is an error with the file's name."""
    storage.create("rollout/flights/000000.json", b"promote it")
    with pytest.raises(RolloutError, match=r"rollout/flights/000000\.json"):
        History(storage, "flights").refresh()
