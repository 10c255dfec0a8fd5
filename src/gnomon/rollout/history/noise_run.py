"""The standing run of live against itself (A/A), which follows from the decisions."""

from __future__ import annotations

from datetime import datetime

import msgspec

__all__ = ["NoiseRun", "noise_run_after"]


class NoiseRun(msgspec.Struct, frozen=True, kw_only=True):
    """The run of live against itself that measures the noise floor while shadows are judged.

    Nobody decides it: it begins with the first shadow that is judged against this live artifact,
    and ends with the last one. Whether a server scores rows for it, and how many, is in the policy.

    Attributes:
        artifact: the live artifact.
        since: the rollout epoch in which it began; its rows have it.
        at: when that was.
    """

    artifact: str
    since: int
    at: datetime


def noise_run_after(
    before: NoiseRun | None, live: str | None, *, judges: bool, epoch: int, at: datetime
) -> NoiseRun | None:
    """Return the run after an event.

    Args:
        before: the run before the event.
        live: the live artifact after it.
        judges: whether a shadow runs after it that is judged against live, and none of live itself.
        epoch: the number of the event.
        at: when it was decided.
    """
    if live is None or not judges:
        return None
    if before is not None and before.artifact == live:
        return before
    return NoiseRun(artifact=live, since=epoch, at=at)
