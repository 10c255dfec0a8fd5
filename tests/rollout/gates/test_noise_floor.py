"""Who scores live's rows a second time, and how many."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from gnomon.artifact import Artifact, inspect
from gnomon.policy import Policy, Sampling
from gnomon.rollout.gates import noise_floor
from gnomon.rollout.gates.noise_floor import (
    DEFAULT_SHARE,
    is_floor_off,
    is_noise_awaited,
    measured_share,
    noise_shadow,
    standing_share,
)
from gnomon.rollout.history import RolloutEvent, RolloutState, fold
from gnomon.shadow.heartbeats import Heartbeat, Heartbeats
from tests.packing import SCRIPT, times


@pytest.fixture(scope="module")
def live(packed_once: Any) -> Artifact:
    """The live artifact; its answers were found to repeat when it was packed."""
    folder: Path = packed_once(times(2), "toy", SCRIPT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(folder.parents[2]))
        return inspect(f"toy:{folder.name}")


def batch_dependent(artifact: Artifact) -> Artifact:
    """Return the same, as if its answers depended on the batch and that was allowed."""
    found = {"batch_dependent": "3 of 24 rows differ alone"}
    return dataclasses.replace(artifact, manifest=structs.replace(artifact.manifest, allowed=found))


def state(live: str) -> RolloutState:
    return fold(
        [
            RolloutEvent(kind="promote", artifact=live),
            RolloutEvent(kind="shadow_start", artifact="toy:next"),
        ]
    )


def policy(share: float | None) -> Policy:
    return Policy(sampling=Sampling(noise_floor=share))


def test_zero_judges_without_a_floor_unless_a_person_measures_it(live: Artifact) -> None:
    """Unset is not 0: what was measured before counts."""
    begun = state(live.tag)
    assert is_floor_off(begun, policy(0.0))
    assert not is_floor_off(begun, policy(None))
    assert not is_floor_off(begun, policy(0.1))
    same = RolloutEvent(kind="shadow_start", artifact=live.tag, same=True)
    assert not is_floor_off(begun.after(same), policy(0.0))


def test_the_policy_says_how_many_rows_are_scored_twice(live: Artifact) -> None:
    """0 turns it off, also for an artifact that is known to be noisy."""
    assert standing_share(policy(0.2), live) == 0.2
    assert standing_share(policy(0.0), batch_dependent(live)) == 0.0


def test_without_a_word_only_what_was_found_to_be_noisy_is(live: Artifact) -> None:
    """Packing has compared the answers of all others, alone and in batches."""
    assert standing_share(Policy(), live) == 0.0
    assert standing_share(Policy(), batch_dependent(live)) == DEFAULT_SHARE


def test_the_shadow_of_live_is_sampled_like_any_other(live: Artifact) -> None:
    """By live's entity key, in the run that the rollout names; it is no candidate."""
    shadow = noise_shadow(state(live.tag), live, policy(0.1))
    assert shadow is not None
    assert (shadow.artifact, shadow.digest, shadow.fraction) == (live.tag, live.digest, 0.1)
    assert (shadow.since, shadow.entity_key) == (2, ("id",))
    assert not shadow.is_candidate


def test_none_is_started_for_an_artifact_that_does_not_answer_yet(live: Artifact) -> None:
    """While the next live artifact is loaded, the one before answers."""
    assert noise_shadow(state("toy:other"), live, policy(0.1)) is None
    assert noise_shadow(RolloutState(), live, policy(0.1)) is None
    assert noise_shadow(state(live.tag), live, policy(0.0)) is None


def test_gates_wait_for_it_where_it_is_measured(
    monkeypatch: pytest.MonkeyPatch, live: Artifact
) -> None:
    """By the policy, else by what packing found; of an artifact that is gone, it is not known."""
    assert is_noise_awaited(state("toy:gone"), policy(0.1))
    assert not is_noise_awaited(state("toy:gone"), policy(0.0))
    assert not is_noise_awaited(state("toy:gone"), Policy())
    assert not is_noise_awaited(RolloutState(), policy(0.1))
    monkeypatch.setattr(noise_floor, "inspect", lambda tag: batch_dependent(live))
    assert is_noise_awaited(state(live.tag), Policy())


def test_it_is_measured_where_a_running_server_says_so() -> None:
    """Not by one that stopped, or that answers with another artifact."""
    now = datetime.now(UTC)
    beat = Heartbeat(
        model="toy", slice="a", host="h", pid=1, started=now, live="toy:live", noise_floor=0.05
    )
    stopped = structs.replace(beat, updated=now - timedelta(hours=1), noise_floor=0.5)
    other = structs.replace(beat, live="toy:other", noise_floor=0.5)
    silent = structs.replace(beat, noise_floor=None)
    begun = state("toy:live")
    assert measured_share(begun, Heartbeats([silent, beat, stopped, other])) == 0.05
    assert measured_share(begun, Heartbeats([silent, stopped, other])) is None
    assert measured_share(RolloutState(), Heartbeats([beat])) is None
