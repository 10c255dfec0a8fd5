"""The status of a shadow, from its slice's report.

It is separate from the form of the answer, :mod:`gnomon.service.status.slice_status`, because
clients import that and do not need the rollout.
"""

from __future__ import annotations

from msgspec import structs

from gnomon.rollout.history import Shadow
from gnomon.service.status.slice_status import ShadowStatus
from gnomon.shadow.heartbeats import ShadowBeat

__all__ = ["shadow_status"]


def shadow_status(shadow: Shadow, beat: ShadowBeat | None) -> ShadowStatus:
    """Return the status of a shadow from its slice's report, or from the rollout without one."""
    status = ShadowStatus(
        artifact=shadow.artifact,
        fraction=shadow.fraction,
        since=shadow.at,
        reverse=shadow.reverse,
        combination=shadow.combination,
        state="starting",
    )
    if beat is None:
        return status
    return structs.replace(
        status, state=beat.state, eligible=beat.count_eligible(), **beat.reported()
    )
