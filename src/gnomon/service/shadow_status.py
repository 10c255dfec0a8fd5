"""The status of a shadow, from its slice's report.

Apart from the shape of the answer, :mod:`gnomon.service.status`, which clients import too: they
need nothing of the rollout.
"""

from __future__ import annotations

from msgspec import structs

from gnomon.rollout.history import Shadow
from gnomon.service.status import ShadowStatus
from gnomon.shadow.slices import ShadowBeat

__all__ = ["shadow_status"]


def shadow_status(shadow: Shadow, beat: ShadowBeat | None) -> ShadowStatus:
    """The status of a shadow of the rollout, from what its slice says of it; ``None`` yet."""
    known = ShadowStatus(
        artifact=shadow.artifact, fraction=shadow.fraction, since=shadow.at, state="starting"
    )
    if beat is None:
        return known
    return structs.replace(
        known, state=beat.state, eligible=beat.count_eligible(), **beat.reported()
    )
