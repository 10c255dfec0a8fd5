"""A shadow for debugging: the model of one artifact on the preprocessing of another."""

from __future__ import annotations

import contextlib

from gnomon.artifact import Artifact, inspect
from gnomon.artifact.combining.combination import combine, combined_tag
from gnomon.artifact.manifest import Combination
from gnomon.errors import ArtifactError, RolloutError, UnknownArtifact
from gnomon.rollout.history import RolloutEvent, RolloutState

__all__ = ["combination_of", "combined_shadow", "refuse_combined"]


def combined_shadow(
    state: RolloutState, candidate: Artifact, preprocessing: str, *, same: bool
) -> Artifact:
    """Return the artifact with the model of one and the preprocessing of another.

    Args:
        state: the rollout; the artifact is made only if its shadow could be started.
        candidate: has the model.
        preprocessing: the tag of the other.
        same: whether live itself was asked for.

    Raises:
        ArtifactError, PackRefused: they cannot be combined; see
            :func:`gnomon.artifact.combining.combination.combine`.
        RolloutError: nothing is live, the shadow runs already, or ``same`` was given.
        UntrustedSignature: trusted keys are set, and nobody has signed the combined artifact yet.
    """
    if same:
        raise RolloutError(
            "an artifact on the preprocessing of another is not the live artifact itself",
            hint="leave out either --same or --preprocessing",
        )
    tag = combined_tag(candidate, inspect(preprocessing))
    state.after(RolloutEvent(kind="shadow_start", artifact=tag))
    return inspect(combine(candidate, preprocessing))  # It must be signed, if others must.


def combination_of(state: RolloutState, tag: str) -> Combination | None:
    """Return what an artifact is combined of: by the rollout, else by the store if it has it."""
    if (shadow := state.shadows.get(tag)) is not None:
        return shadow.combination
    with contextlib.suppress(ArtifactError, UnknownArtifact):  # The log is enough to judge it.
        return inspect(tag).manifest.combination
    return None


def refuse_combined(tag: str, combination: Combination | None) -> None:
    """Refuse to promote a combined artifact, or to propose that.

    Raises:
        RolloutError: it is one.
    """
    if combination is None:
        return
    model, preprocessing = combination.model.tag, combination.preprocessing.tag
    raise RolloutError(
        f"{tag} cannot become live: it is the model of {model} on the preprocessing of "
        f"{preprocessing}, on which it was not trained; it is for debugging",
        hint=f"promote {model}, or train a model on that preprocessing and pack it",
    )
