"""The first artifact of a deployment without a history: the newest one in the store."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gnomon.artifact import inspect
from gnomon.errors import ArtifactError
from gnomon.quantities import plural
from gnomon.rollout.decisions.promotion import promote
from gnomon.rollout.named_artifacts import model_of
from gnomon.settings import Settings

__all__ = ["promote_first"]

logger = logging.getLogger("gnomon")

MOST_NAMED = 5
"""The largest number of artifacts that are listed, with their errors if there are any."""


def promote_first(settings: Settings, tags: Sequence[str]) -> None:
    """Make the newest artifact of a model live.

    Args:
        settings: settings with the storage root.
        tags: the tags in the store, newest first; at least one.

    Raises:
        ArtifactError: it cannot be served here. An older one is not made live instead, because
            that is for people to decide; the error lists those that can be served.
        RolloutConflict: another server recorded the first artifact at the same time.
    """
    newest = tags[0]
    why = "the first artifact of this deployment"
    if len(tags) > 1:
        why += f", the newest of {len(tags)} in the store"
    try:
        promote(settings, model_of(newest), newest, why=why)
    except ArtifactError as error:
        if len(tags) > 1:
            raise _error_of_all(tags, error) from None
        raise
    if len(tags) > 1:
        logger.warning("%s", _remark(tags))


def _remark(tags: Sequence[str]) -> str:
    """Say which artifact was taken of several, and how to take another."""
    others = ", ".join(tags[1:MOST_NAMED])
    more = len(tags) - MOST_NAMED
    return (
        f"nobody has decided which artifact is live, so it is {tags[0]}, the newest in the store; "
        f"there {'is' if len(tags) == 2 else 'are'} also {others}"
        + (f" and {plural(more, 'older one')}" if more > 0 else "")
        + f". To make another live: gnomon promote {tags[1] if len(tags) == 2 else 'TAG'}"
    )


def _error_of_all(tags: Sequence[str], newest: ArtifactError) -> ArtifactError:
    """Return an error of the same kind about the artifacts in the store."""
    errors = {tags[0]: newest.message, **{tag: _load_error(tag) for tag in tags[1:MOST_NAMED]}}
    servable = [tag for tag, error in errors.items() if error is None]
    listing = "; ".join(f"{tag}: {error or 'can be served'}" for tag, error in errors.items())
    more = len(tags) - len(errors)
    return type(newest)(
        f"of {len(tags)} artifacts in the store the newest cannot be served: {listing}"
        + (f"; and {plural(more, 'older one')}" if more else ""),
        where=newest.where,
        hint=f"to start with that one: gnomon promote {servable[0]}" if servable else newest.hint,
    )


def _load_error(tag: str) -> str | None:
    try:
        inspect(tag)
    except ArtifactError as error:
        return error.message
    return None
