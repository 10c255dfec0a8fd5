"""A shadow for debugging: the model of one artifact on the preprocessing of another."""

from __future__ import annotations

import contextlib

from gnomon.artifact import Artifact, inspect
from gnomon.artifact.combining.combination import combine, planned
from gnomon.artifact.manifest import Combination
from gnomon.contract import Contract
from gnomon.errors import ArtifactError, RolloutError, UnknownArtifact
from gnomon.rollout.history import RolloutState

__all__ = ["combination_of", "combined_shadow", "planned_shadow", "refuse_combined"]


def planned_shadow(
    candidate: Artifact, preprocessing: str | None, *, same: bool
) -> tuple[str, Contract]:
    """Return the tag and the contract of the artifact that is to run, before it is made.

    So that one whose shadow is refused is not left in the store.

    Args:
        candidate: the artifact, or has the model.
        preprocessing: the tag of the artifact with the preprocessing; None to run the candidate.
        same: whether live itself was asked for.

    Raises:
        ArtifactError, ContractError, PackRefused, UnknownArtifact: they cannot be combined.
        RolloutError: ``same`` was given with a preprocessing.
    """
    if preprocessing is None:
        return candidate.tag, candidate.contract
    if same:
        raise RolloutError(
            "an artifact on the preprocessing of another is not the live artifact itself",
            hint="leave out either --same or --preprocessing",
        )
    return planned(candidate, inspect(preprocessing))


def combined_shadow(candidate: Artifact, preprocessing: str | None) -> Artifact:
    """Return the artifact to run: it is made, and put into the store, where it is a combined one.

    Raises:
        ArtifactError, PackRefused: they cannot be combined; see
            :func:`gnomon.artifact.combining.combination.combine`.
        UntrustedSignature: trusted keys are set, and nobody has signed the combined artifact yet.
    """
    if preprocessing is None:
        return candidate
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
