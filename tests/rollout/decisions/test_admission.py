"""What refuses a promotion whatever its gates say, in a check as in the promotion itself."""

from __future__ import annotations

import shutil

import pytest

from gnomon import rollout
from gnomon.artifact import inspect
from gnomon.errors import GnomonError, RolloutError, UnknownArtifact
from gnomon.rollout.decisions.admission import refusal
from gnomon.rollout.history import RolloutEvent, fold, newest_history
from gnomon.settings import Settings
from tests.packing import Pack, times
from tests.shadow.evidence import log_live, log_shadow


@pytest.mark.parametrize("tag", ["toy:nope", "toy:NOT A TAG", "toy:bad\0"])
def test_a_check_of_what_does_not_exist_says_what_there_is(
    settings: Settings, live: str, tag: str
) -> None:
    """Its advice was to start it as a shadow, which cannot be done either."""
    rollout.promote(settings, "toy", live)
    for ask in (rollout.check, rollout.promote):
        with pytest.raises(UnknownArtifact, match=live):
            ask(settings, "toy", tag)


def test_an_artifact_of_another_model_is_refused(settings: Settings, pack: Pack, live: str) -> None:
    """A check says what a promotion does."""
    rollout.promote(settings, "toy", live)
    other = pack(times(1.0), name="other")
    for ask in (rollout.check, rollout.promote):
        with pytest.raises(RolloutError, match="is not an artifact of `toy`"):
            ask(settings, "toy", other)


def test_a_shadow_whose_artifact_is_gone_keeps_its_gates(
    settings: Settings, live: str, candidate: str
) -> None:
    """They are judged by the log; that it cannot be promoted here is said beside them."""
    rollout.promote(settings, "toy", live)
    rollout.start_shadow(settings, "toy", candidate)
    log_live(settings, 10, artifact=live)
    log_shadow(settings, agreed=10, artifact=candidate, against=live)
    assert rollout.check(settings, "toy", candidate).refused is None
    shutil.rmtree(inspect(candidate).path)
    checked = rollout.check(settings, "toy", candidate)
    with pytest.raises(GnomonError) as caught:
        rollout.promote(settings, "toy", candidate)
    assert (checked.verdict, checked.refused) == ("fail", str(caught.value))
    assert checked.gates[0].value == 10
    event = newest_history(settings, "toy").events[-1]
    assert event.kind == "shadow_start"


def test_only_what_is_in_shadow_is_compared(live: str) -> None:
    """An artifact that is no shadow, or was started before digests were kept, is as it is."""
    started = [
        RolloutEvent(kind="promote", artifact="toy:before"),
        RolloutEvent(kind="shadow_start", artifact=live),
    ]
    assert refusal("toy", fold(started[:1]), live) is None
    assert refusal("toy", fold(started), live) is None
    assert "the shadow was started with 000" in str(
        refusal("toy", fold([started[0], RolloutEvent(
            kind="shadow_start", artifact=live, digest="0" * 64)]), live)
    )  # fmt: skip
