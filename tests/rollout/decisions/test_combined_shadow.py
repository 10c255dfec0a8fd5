"""A shadow with the model of one artifact on the preprocessing of another."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gnomon import rollout
from gnomon.artifact import inspect, resolve, tags
from gnomon.artifact.artifact import examine
from gnomon.artifact.folder import ArtifactFolder
from gnomon.artifact.signing import new_key, read_private, sign
from gnomon.errors import PolicyError, RolloutError, UnknownArtifact, UntrustedSignature
from gnomon.policy import Decision, Policy
from gnomon.rollout.decisions.combined_shadow import refuse_combined
from gnomon.rollout.decisions.gate_checks import check_on_history
from gnomon.rollout.history import History
from gnomon.settings import Settings
from gnomon.storage import Storage
from tests.packing import PAID, Pack, times
from tests.shadow.evidence import log_live

pytestmark = pytest.mark.slow

WRONG = Policy(decision=Decision(output="nothing_like_it", threshold=0.5))
"""It names an output that no artifact here has."""


def sign_here(tag: str, key: Path) -> None:
    """Sign an artifact as ``gnomon sign`` does."""
    artifact = examine(resolve(tag), keys=None)
    sign(ArtifactFolder(artifact.path), tag, artifact.digest, read_private(key, bytes))


def test_it_runs_as_a_shadow_and_is_no_candidate(settings: Settings, pack: Pack) -> None:
    """The event names both artifacts; the error of the gates is not shared with it."""
    live, other = pack(times(1.0)), pack(times(3.0))
    rollout.promote(settings, "toy", live)
    event = rollout.start_shadow(
        settings, "toy", live, preprocessing=other, fraction=0.5, by="ann", why="which half"
    )
    assert event.combination is not None
    assert (event.combination.model.tag, event.combination.preprocessing.tag) == (live, other)
    assert event.digest == inspect(event.artifact).digest
    assert (event.fraction, event.by, event.why) == (0.5, "ann", "which half")
    history = History(Storage(settings), "toy")
    history.refresh()
    shadow = history.state.shadows[event.artifact]
    assert shadow.combination == event.combination
    assert not shadow.is_candidate
    assert history.state.candidates == 0
    rollout.stop_shadow(settings, "toy", event.artifact)
    again = rollout.start_shadow(settings, "toy", event.artifact)
    assert again.combination == event.combination


def test_it_never_becomes_live(settings: Settings, pack: Pack) -> None:
    """Not by force; and there are no gates to check, whether it runs or not."""
    live, other = pack(times(1.0)), pack(times(3.0))
    rollout.promote(settings, "toy", live)
    tag = rollout.start_shadow(settings, "toy", live, preprocessing=other).artifact
    for force in (False, True):
        with pytest.raises(RolloutError, match="cannot become live: it is the model of"):
            rollout.promote(settings, "toy", tag, force=force)
    with pytest.raises(RolloutError, match="on which it was not trained"):
        rollout.check(settings, "toy", tag)
    log_live(settings, 1, artifact=live)
    replayed = check_on_history(settings, "toy", tag, Policy(), start=datetime.now(UTC))
    assert replayed.verdict == "fail"
    assert "on which it was not trained" in (replayed.refused or "")
    rollout.stop_shadow(settings, "toy", tag)
    with pytest.raises(RolloutError, match="on which it was not trained"):
        rollout.check(settings, "toy", tag)


def test_nothing_is_combined_for_a_shadow_that_could_not_be_started(
    settings: Settings, pack: Pack
) -> None:
    """The store stays as it is, and the reason is the one that any shadow gets."""
    live, other, paid = pack(times(1.0)), pack(times(3.0)), pack(times(3.0), script=PAID)
    with pytest.raises(RolloutError, match="no live artifact"):
        rollout.start_shadow(settings, "toy", live, preprocessing=other)
    rollout.promote(settings, "toy", live)
    with pytest.raises(RolloutError, match="leave out either"):
        rollout.start_shadow(settings, "toy", live, preprocessing=other, same=True)
    with pytest.raises(UnknownArtifact):
        rollout.start_shadow(settings, "toy", live, preprocessing="toy:nope")
    assert sorted(tags("toy")) == sorted([live, other, paid])


def test_requests_of_today_must_be_accepted(settings: Settings, pack: Pack) -> None:
    """Its inputs are those of the preprocessing, which here wants a field that clients lack. One
    that is refused is not left in the store.
    """
    live, paid = pack(times(1.0)), pack(times(3.0), script=PAID)
    rollout.promote(settings, "toy", live)
    with pytest.raises(RolloutError, match="could not accept the requests") as caught:
        rollout.start_shadow(settings, "toy", live, preprocessing=paid)
    assert f"its inputs are those of {paid}: name one with a contract" in (caught.value.hint or "")
    assert sorted(tags("toy")) == sorted([live, paid])
    with pytest.raises(PolicyError):
        rollout.start_shadow(settings, "toy", live, preprocessing=paid, policy=WRONG, force=True)
    assert sorted(tags("toy")) == sorted([live, paid])
    event = rollout.start_shadow(settings, "toy", live, preprocessing=paid, force=True)
    assert event.forced


def test_where_artifacts_are_signed_it_is_signed_too(
    settings: Settings, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first start makes it and is refused; once a person has signed it, it runs."""
    live, other = pack(times(1.0)), pack(times(3.0))
    rollout.promote(settings, "toy", live)
    new_key(tmp_path / "key", "ann@example")
    sign_here(live, tmp_path / "key")
    sign_here(other, tmp_path / "key")
    monkeypatch.setenv("GNOMON_TRUSTED_KEYS", str(tmp_path / "key.pub"))
    with pytest.raises(UntrustedSignature, match="not signed") as caught:
        rollout.start_shadow(settings, "toy", live, preprocessing=other)
    tag = str(caught.value).partition(" is not signed")[0]
    sign_here(tag, tmp_path / "key")
    assert rollout.start_shadow(settings, "toy", live, preprocessing=other).artifact == tag


def test_other_artifacts_are_not_refused() -> None:
    """Only combined ones are."""
    refuse_combined("toy:1", None)
