"""What may be excused: what there is, of a shadow that runs or an artifact that is watched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gnomon import rollout
from gnomon.contract.feature import Feature
from gnomon.errors import RolloutError
from gnomon.policy import Policy, RolloutRules
from gnomon.rollout.decisions.excuse_decisions import _check_value
from gnomon.rollout.history import RolloutEvent
from gnomon.settings import Settings
from tests.packing import HALF_MORE, Pack, times

NOW = datetime.now(UTC)


def test_an_excuse_names_what_there_is(settings: Settings, pack: Pack) -> None:
    """A running shadow, a feature and value that it has, a reason, and an end in the future."""
    live, shadow = pack(times(1.0)), pack(HALF_MORE)
    rollout.promote(settings, "toy", live)

    def add(target: str, **more: object) -> RolloutEvent:
        given = {"owner": "ann", "until": NOW + timedelta(days=1), "why": "so", **more}
        return rollout.add_excuse(settings, "toy", target, **given)  # type: ignore[arg-type]

    with pytest.raises(RolloutError, match="no artifact is given"):
        add("id=a")
    rollout.start_shadow(settings, "toy", shadow)
    with pytest.raises(RolloutError, match=f"`{live}` is neither"):
        add("id=a", artifact=live)
    with pytest.raises(RolloutError, match="no feature `origin`"):
        add("origin=JFK")
    with pytest.raises(RolloutError, match="`a` is no value of `x`, which is of type double"):
        add("x=a")
    with pytest.raises(RolloutError, match="no output column `late`"):
        add("late")
    with pytest.raises(RolloutError, match="the only output"):
        add("prediction")
    with pytest.raises(RolloutError, match="ended already"):
        add("id=a", until=NOW - timedelta(days=1))
    with pytest.raises(RolloutError, match="ends within 366 days, got 9999-12-31"):
        add("id=a", until=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    with pytest.raises(RolloutError, match="expected a reason"):
        add("id=a", why=None)
    event = add("id=a", by="bob")
    assert (event.kind, event.artifact, event.by) == ("excuse", shadow, "bob")
    assert rollout.end_excuse(settings, "toy", 3, why="mended").artifact == shadow
    with pytest.raises(RolloutError, match="no excuse number 3"):
        rollout.end_excuse(settings, "toy", 3)


def test_an_artifact_whose_watch_window_is_over_is_not_excused(
    settings: Settings, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its window it is, and the default where no shadow runs; a shadow comes before it."""
    old, new, next_one = pack(times(1.0)), pack(HALF_MORE), pack(times(3.0))
    policy = Policy(rollout=RolloutRules(watch_hours=2.0, reverse_shadow=False))
    rollout.promote(settings, "toy", old)
    rollout.promote(settings, "toy", new, force=True, policy=policy)

    def add(artifact: str | None = None) -> str:
        given = {"owner": "ann", "until": NOW + timedelta(days=1), "why": "so"}
        return rollout.add_excuse(settings, "toy", "id=a", artifact=artifact, **given).artifact  # type: ignore[arg-type]

    assert add() == add(new) == new
    rollout.start_shadow(settings, "toy", next_one)
    assert add() == next_one
    later = "gnomon.rollout.decisions.excuse_decisions.open_watch"
    monkeypatch.setattr(later, lambda watch: None)
    assert add() == next_one
    with pytest.raises(RolloutError, match="is neither") as refused:
        add(new)
    assert refused.value.hint == f"give one with --tag (over HTTP: artifact): {next_one}"


def test_a_value_that_the_contract_does_not_have_is_refused_if_it_is_close_to_one() -> None:
    """Or if rows with it are refused; another new value may come."""
    channel = Feature(name="channel", type="category", dtype="category", domain=("partner", "web"))
    _check_value(channel, "partner")
    _check_value(channel, "branch")
    _check_value(Feature(name="channel", type="string", dtype="object"), "partnr")
    with pytest.raises(RolloutError, match="`partnr` is not among the values") as refused:
        _check_value(channel, "partnr")
    assert "did you mean `channel=partner`?" in str(refused.value.hint)
    strict = Feature(
        name="channel",
        type="category",
        dtype="category",
        domain=("partner", "web"),
        outside="error",
    )
    with pytest.raises(RolloutError, match="`branch` is not among"):
        _check_value(strict, "branch")
