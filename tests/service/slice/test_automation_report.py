"""What a slice decides by itself, in the state that the rollout has now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gnomon.rollout.history import RolloutEvent, fold
from gnomon.rollout.watch_window import ReverseShadow, WatchWindow
from gnomon.service.slice.automation_report import AutomationReport


def test_a_report_keeps_what_it_does_not_change() -> None:
    """The time of the last look stays when there is nothing more to say."""
    report, state = AutomationReport(), fold([])
    report.checked()
    report.says = "two pass"
    checked = report.status(state).checked
    report.says = None
    after = report.status(state)
    assert (after.checked, after.says) == (checked, None)
    assert checked is not None


def test_the_watch_window_is_that_of_the_state_and_of_now() -> None:
    """Not of the last look: evaluating gates takes seconds, in which a person may decide."""
    report = AutomationReport()
    now = datetime.now(UTC)
    past = [RolloutEvent(kind="promote", artifact="a")]
    for until, is_watched in ((now + timedelta(hours=1), True), (now - timedelta(hours=1), False)):
        window = WatchWindow(
            until=until, gates=("failed",), reverse_shadow=ReverseShadow(artifact="a")
        )
        promoted = RolloutEvent(kind="promote", artifact="b", watch=window)
        watch = report.status(fold([*past, promoted])).watch
        assert (watch is not None) is is_watched
    assert report.status(fold(past)).watch is None
