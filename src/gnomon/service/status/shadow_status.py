"""The status of a shadow, from its slice's report.

It is separate from the form of the answer, :mod:`gnomon.service.status.slice_status`, because
clients import that and do not need the rollout.
"""

from __future__ import annotations

from msgspec import structs

from gnomon.rollout.history import Shadow
from gnomon.service.status.slice_status import ShadowStatus
from gnomon.shadow.heartbeats import ShadowBeat

__all__ = ["noise_floor_status", "shadow_status"]


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


def noise_floor_status(run: Shadow, beat: ShadowBeat | None) -> ShadowStatus:
    """Return the status of the noise floor's run: it fails where every row of it does.

    No gate of failed rows judges it, and what waits for the floor waits in vain.
    """
    status = shadow_status(run, beat)
    if status.error is not None or status.scored or not status.failed:
        return status
    says = (
        "live fails on every row in its second copy, so the noise floor cannot be measured: the "
        "gates of `gnomon promote --check` say why"
    )
    return structs.replace(status, state="failing", error=says)
