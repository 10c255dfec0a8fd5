"""What a deployment without a history begins with: the newest artifact in the store."""

from __future__ import annotations

from collections.abc import Sequence

from gnomon.artifact import inspect
from gnomon.errors import ArtifactError
from gnomon.rollout.decisions import promote
from gnomon.settings import Settings

__all__ = ["promote_first"]

MOST_NAMED = 5
"""Artifacts that are named with what is wrong with them."""


def promote_first(settings: Settings, there: Sequence[str]) -> None:
    """Make the newest artifact of a model live.

    Args:
        settings: name the storage root.
        there: the tags in the store, newest first; at least one.

    Raises:
        ArtifactError: it cannot be served here. An older one is not made live instead: that is a
            decision for people, and the error says which could be.
        RolloutConflict: another server was quicker.
    """
    newest = there[0]
    try:
        promote(
            settings, newest.partition(":")[0], newest, why="the first artifact of this deployment"
        )
    except ArtifactError as error:
        if len(there) > 1:
            raise _of_all(there, error) from None
        raise


def _of_all(there: Sequence[str], newest: ArtifactError) -> ArtifactError:
    """The same kind of error, about every artifact in the store."""
    troubles = {there[0]: newest.message, **{tag: _trouble(tag) for tag in there[1:MOST_NAMED]}}
    good = [tag for tag, trouble in troubles.items() if trouble is None]
    said = "; ".join(f"{tag}: {trouble or 'can be served'}" for tag, trouble in troubles.items())
    more = len(there) - len(troubles)
    return type(newest)(
        f"of {len(there)} artifacts in the store the newest cannot be served: {said}"
        + (f"; and {more} older ones" if more else ""),
        where=newest.where,
        hint=f"gnomon promote {good[0]} begins with that one" if good else newest.hint,
    )


def _trouble(tag: str) -> str | None:
    try:
        inspect(tag)
    except ArtifactError as error:
        return error.message
    return None
