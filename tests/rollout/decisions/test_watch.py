"""The watch window that a promotion begins."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gnomon import rollout
from gnomon.errors import RolloutConflict
from gnomon.policy import Policy
from gnomon.policy.rollout_rules import RolloutRules
from gnomon.rollout.decisions.automatic import Automatic
from gnomon.rollout.history import newest_history
from gnomon.settings import Settings
from tests.packing import HALF_MORE, PAID, Pack, times

WATCHED = Policy(rollout=RolloutRules(watch_hours=2, reverse_shadow=0.25))


@pytest.mark.slow
def test_a_promotion_begins_its_window(settings: Settings, pack: Pack) -> None:
    """The event has its end, its gates and the reverse shadow; the first promotion has none."""
    old, new = pack(times(1.0)), pack(HALF_MORE)
    assert rollout.promote(settings, "toy", old, policy=WATCHED).watch is None
    event = rollout.promote(settings, "toy", new, policy=WATCHED, force=True)
    assert event.watch is not None
    assert event.watch.until == event.at + timedelta(hours=2)
    assert event.watch.gates == ("failed",)
    assert event.watch.reverse_shadow is not None
    assert event.watch.reverse_shadow.artifact == old
    assert (event.watch.reverse_shadow.fraction, event.watch.reverse_shadow.entity_key) == (
        0.25, ("id",)
    )  # fmt: skip
    history = newest_history(settings, "toy")
    assert history.events[-1] == event
    with pytest.raises(RolloutConflict, match="while the gates were evaluated"):
        rollout.rollback(settings, "toy", automatic=Automatic(history.state.epoch - 1))
    undone = rollout.rollback(settings, "toy", automatic=Automatic(history.state.epoch))
    assert (undone.automatic, undone.artifact) == (True, old)


@pytest.mark.slow
def test_a_replaced_artifact_that_cannot_read_the_requests_does_not_go_on(
    settings: Settings, pack: Pack
) -> None:
    """It would only fail; the live artifact's own failures are watched still."""
    old, new = pack(times(1.0), script=PAID), pack(times(1.0))
    rollout.promote(settings, "toy", old)
    event = rollout.promote(settings, "toy", new, policy=WATCHED, force=True)
    assert event.watch is not None
    assert (event.watch.gates, event.watch.reverse_shadow) == (("failed",), None)
