"""What refuses a promotion whatever its gates say: a check and a promotion ask the same."""

from __future__ import annotations

from gnomon.artifact import Artifact
from gnomon.errors import GateRefused, GnomonError
from gnomon.rollout.decisions.combined_shadow import refuse_combined
from gnomon.rollout.history import RolloutState
from gnomon.rollout.named_artifacts import inspect_of

__all__ = ["admitted", "is_other_content", "refusal"]


def admitted(model: str, state: RolloutState, artifact: str, *, force: bool = False) -> Artifact:
    """Return the artifact to promote.

    Args:
        model: the deployment's model name.
        state: the rollout.
        artifact: a tag, such as ``flights:latest``.
        force: accept other content than what is in shadow under this tag.

    Raises:
        ArtifactError, UnknownArtifact: it does not pass inspection.
        GateRefused: something else is in shadow under this tag, and so the gates judge that.
        RolloutError: it is of another model, or a combined artifact.
    """
    candidate = inspect_of(model, artifact)
    refuse_combined(candidate.tag, candidate.manifest.combination)
    if not force and is_other_content(candidate, state):
        started_with = state.shadows[candidate.tag].digest or ""
        raise GateRefused(
            f"{candidate.tag} in this store has digest {candidate.digest[:12]}, and the shadow was "
            f"started with {started_with[:12]}: the gates would judge other content",
            hint=f"stop the shadow and start it again: gnomon shadow stop {candidate.tag}",
        )
    return candidate


def is_other_content(candidate: Artifact, state: RolloutState) -> bool:
    """Return whether something else was in shadow under this tag, which is what the gates judge."""
    shadow = state.shadows.get(candidate.tag)
    return shadow is not None and shadow.digest not in (None, candidate.digest)


def refusal(model: str, state: RolloutState, artifact: str) -> GnomonError | None:
    """Return why an artifact would not be promoted although its gates pass; None if it would."""
    try:
        admitted(model, state, artifact)
    except GnomonError as error:
        return error
    return None
