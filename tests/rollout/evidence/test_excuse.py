"""What an excuse covers, until when, and how it is in the state of a rollout."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gnomon.errors import RolloutError
from gnomon.rollout.evidence.excuse import RecordedExcuse, active, parse_excuse
from gnomon.rollout.history import RolloutEvent, fold

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=9)
PAST = [RolloutEvent(kind="promote", artifact="a"), RolloutEvent(kind="shadow_start", artifact="b")]


def excused(target: str, until: datetime = LATER) -> RolloutEvent:
    excuse = parse_excuse(target, "ann", until)
    return RolloutEvent(kind="excuse", artifact="b", excuse=excuse, why="new codes", by="bob")


def test_a_target_is_a_column_or_a_segment() -> None:
    """The value of a segment may have the sign in it."""
    assert parse_excuse("probability_late", "ann", LATER).column == "probability_late"
    segment = parse_excuse("origin=JFK", "ann", LATER)
    assert (segment.feature, segment.value, segment.target) == ("origin", "JFK", "origin=JFK")
    assert parse_excuse("code=a=b", "ann", LATER).value == "a=b"


@pytest.mark.parametrize("target", ["", "=JFK", "origin="])
def test_half_a_target_is_refused(target: str) -> None:
    """The error shows what one looks like."""
    with pytest.raises(RolloutError, match="expected an output column or FEATURE=VALUE"):
        parse_excuse(target, "ann", LATER)


def test_it_needs_an_owner_and_an_end_with_a_zone() -> None:
    """Else nobody answers for it, or nobody knows when it ends."""
    for nobody in ("", " ", "\u200b"):
        with pytest.raises(RolloutError, match="owner"):
            parse_excuse("x", nobody, LATER)
    with pytest.raises(RolloutError, match="offset from UTC"):
        parse_excuse("x", "ann", datetime(2030, 1, 1))


def test_the_state_has_it_until_it_is_ended() -> None:
    """Its number is that of its event, and the end names it."""
    state = fold([*PAST, excused("origin=JFK"), excused("prediction")])
    assert [each.number for each in state.excuses] == [3, 4]
    assert state.excuses[0].by == "bob"
    assert [*state.shadows] == ["b"]
    ended = RolloutEvent(kind="excuse_end", artifact="b", ends=3)
    assert [e.number for e in fold([*PAST, excused("origin=JFK"), ended]).excuses] == []


def test_only_what_is_there_can_be_ended() -> None:
    """The error lists the numbers that there are."""
    ended = RolloutEvent(kind="excuse_end", artifact="b", ends=9)
    with pytest.raises(RolloutError, match="no excuse number 9"):
        fold([*PAST, excused("origin=JFK"), ended])
    with pytest.raises(RolloutError, match="what it covers"):
        fold([*PAST, RolloutEvent(kind="excuse", artifact="b")])


def test_it_expires_by_itself() -> None:
    """At its end it has no effect, without a decision; of another artifact it never has."""
    excuses = fold([*PAST, excused("origin=JFK", NOW), excused("prediction")]).excuses
    assert [each.number for each in active(excuses, "b", NOW)] == [4]
    assert [each.number for each in active(excuses, "b", NOW - timedelta(seconds=1), NOW)] == [3, 4]
    assert active(excuses, "a", NOW) == ()


def test_it_says_when_it_expires_soon() -> None:
    """On its last day it names the time that is left instead of the date."""

    def written(left: timedelta) -> str:
        excuse = parse_excuse("origin=JFK", "ann", datetime.now(UTC) + left)
        return str(RecordedExcuse(number=1, artifact="b", excuse=excuse, at=NOW, why="new codes"))

    assert "origin=JFK, until 20" in written(timedelta(days=9))
    assert written(timedelta(days=9)).endswith("owner ann: new codes")
    assert "expires in 3 h" in written(timedelta(hours=3, seconds=30))
