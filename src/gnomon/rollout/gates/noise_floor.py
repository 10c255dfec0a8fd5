"""The standing noise floor: a small share of what live answers, scored again by live's artifact."""

from __future__ import annotations

from gnomon.artifact import Artifact, inspect
from gnomon.errors import GnomonError
from gnomon.policy import Policy
from gnomon.rollout.history import RolloutState, Shadow
from gnomon.shadow.heartbeats import Heartbeats

__all__ = [
    "DEFAULT_SHARE",
    "is_floor_off",
    "is_noise_awaited",
    "measured_share",
    "noise_shadow",
    "standing_share",
]

DEFAULT_SHARE = 0.05
"""Enough to know a floor of 0 to within the default limit of disagreement after 2,000 to 3,000
rows, for a twentieth of the work of a shadow; see ``docs/gates.md``."""


def standing_share(policy: Policy, live: Artifact) -> float:
    """Return the share of entities, or of requests, that live scores a second time.

    Where the policy does not say it, only an artifact whose answers were found to depend on the
    batch when it was packed has one: all others were found to repeat theirs.
    """
    if policy.sampling.noise_floor is not None:
        return policy.sampling.noise_floor
    return DEFAULT_SHARE if "batch_dependent" in live.manifest.allowed else 0.0


def noise_shadow(state: RolloutState, live: Artifact, policy: Policy) -> Shadow | None:
    """Return the shadow of live itself that a server runs beside those of the rollout.

    Args:
        state: the rollout.
        live: the artifact that answers.
        policy: says how many rows it scores.
    """
    run, share = state.noise_run, standing_share(policy, live)
    if run is None or run.artifact != live.tag or not share:
        return None
    return Shadow(
        artifact=live.tag,
        digest=live.digest,
        fraction=share,
        since=run.since,
        at=run.at,
        entity_key=live.contract.entity_key,
        same=True,
    )


def is_floor_off(state: RolloutState, policy: Policy) -> bool:
    """Return whether gates judge without a floor, whatever was measured before.

    The policy says so with 0, and no person runs live as its own shadow to measure it.
    """
    return policy.sampling.noise_floor == 0 and state.live not in state.shadows


def is_noise_awaited(state: RolloutState, policy: Policy) -> bool:
    """Return whether servers with this policy should measure the floor now: a gate waits for it.

    Without the live artifact in this store it is not known, and nothing is waited for.
    """
    if state.noise_run is None:
        return False
    share = policy.sampling.noise_floor
    if share is not None:
        return share > 0
    try:
        return standing_share(policy, inspect(state.noise_run.artifact)) > 0
    except GnomonError:
        return False


def measured_share(state: RolloutState, reports: Heartbeats) -> float | None:
    """Return the share of live's rows that running servers score twice; None if none does."""
    run = state.noise_run
    if run is None:
        return None
    shares = (
        beat.noise_floor
        for beat in reports.beats
        if beat.live == run.artifact and not beat.is_stale(reports.read_at)
    )
    return max((share for share in shares if share is not None), default=None)
