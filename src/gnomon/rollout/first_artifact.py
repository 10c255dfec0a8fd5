"""The first artifact of a deployment without a history: the newest one in the store."""

from __future__ import annotations

from collections.abc import Sequence

from gnomon.artifact import inspect
from gnomon.errors import ArtifactError
from gnomon.rollout.decisions import promote
from gnomon.rollout.defaults import model_of
from gnomon.settings import Settings

__all__ = ["promote_first"]

MOST_NAMED = 5
"""The largest number of artifacts whose errors are listed."""


def promote_first(settings: Settings, there: Sequence[str]) -> None:
    """Make the newest artifact of a model live.

    Args:
        settings: settings with the storage root.
        there: the tags in the store, newest first; at least one.

    Raises:
        ArtifactError: it cannot be served here. An older one is not made live instead, because
            that is for people to decide; the error lists those that can be served.
        RolloutConflict: another server recorded the first artifact at the same time.
    """
    newest = there[0]
    try:
        promote(settings, model_of(newest), newest, why="the first artifact of this deployment")
    except ArtifactError as error:
        if len(there) > 1:
            raise _of_all(there, error) from None
        raise


def _of_all(there: Sequence[str], newest: ArtifactError) -> ArtifactError:
    """Return an error of the same kind about the artifacts in the store."""
    troubles = {there[0]: newest.message, **{tag: _trouble(tag) for tag in there[1:MOST_NAMED]}}
    good = [tag for tag, trouble in troubles.items() if trouble is None]
    said = "; ".join(f"{tag}: {trouble or 'can be served'}" for tag, trouble in troubles.items())
    more = len(there) - len(troubles)
    return type(newest)(
        f"of {len(there)} artifacts in the store the newest cannot be served: {said}"
        + (f"; and {more} older ones" if more else ""),
        where=newest.where,
        hint=f"to start with that one: gnomon promote {good[0]}" if good else newest.hint,
    )


def _trouble(tag: str) -> str | None:
    try:
        inspect(tag)
    except ArtifactError as error:
        return error.message
    return None
