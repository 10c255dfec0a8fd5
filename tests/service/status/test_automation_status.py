"""What the status shows of the decisions that a server takes by itself."""

from __future__ import annotations

from datetime import UTC, datetime

from gnomon.cli.show.automation import automation_lines
from gnomon.service.status.automation_status import AutomationStatus, WatchStatus
from gnomon.service.status.slice_status import HIDDEN, Status, public
from gnomon.service.status.totals import total

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
WATCH = WatchStatus(
    artifact="toy:b", previous="toy:a", until=NOW, rolls_back_if=("more than 1% of its rows fail",)
)


def lines(status: AutomationStatus) -> str:
    return "\n".join(automation_lines(status))


def test_a_server_that_decides_nothing_says_nothing() -> None:
    """The default needs no line."""
    assert lines(AutomationStatus()) == ""


def test_the_mode_and_the_window_are_shown() -> None:
    """Until when, to what, and by which conditions; also where none is left."""
    shown = lines(AutomationStatus(mode="auto-abort", watch=WATCH, says="the disk is full"))
    assert "a shadow is stopped if a gate fails" in shown
    assert "toy:b until 2026-11-30" in shown
    assert "back to toy:a if" in shown
    assert "- more than 1% of its rows fail" in shown
    assert "the disk is full" in shown
    bare = WatchStatus(artifact="toy:b", previous="toy:a", until=NOW)
    assert "no condition would roll it back" in lines(AutomationStatus(watch=bare))


def test_what_only_a_person_promotes_is_named() -> None:
    """Else nobody would know why it is not promoted."""
    shown = lines(AutomationStatus(mode="auto-promote", only_by_a_person=("toy:c",)))
    assert "toy:c is promoted only by a person" in shown


def test_the_slice_that_looked_last_is_shown_of_several() -> None:
    """Only one of them evaluates gates at a time."""
    idle = Status(model="toy", ready=True, automation=AutomationStatus())
    looked = AutomationStatus(checked=NOW, says="two pass")
    both = [idle, Status(model="toy", ready=True, automation=looked)]
    assert total(both).automation == looked
    assert total([Status(model="toy", ready=False)]).automation is None


def test_reasons_are_for_holders_of_the_token() -> None:
    """They may hold names of files."""
    status = Status(model="toy", ready=True, automation=AutomationStatus(says="/etc/policy.toml"))
    shown = public(status).automation
    assert shown is not None
    assert shown.says == HIDDEN
