"""The status of a shadow, from its slice's report."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import structs

from gnomon.rollout.history import Shadow
from gnomon.service.status.shadow_status import noise_floor_status, shadow_status
from gnomon.shadow.heartbeats import ShadowBeat

RUN = Shadow(artifact="toy:a", digest=None, fraction=0.5, since=2, at=datetime.now(UTC))
BEAT = ShadowBeat(artifact="toy:a", epoch=2, state="running", failed=516)


def test_a_noise_floor_that_fails_on_every_row_is_failing() -> None:
    """No gate of failed rows says it; of a shadow one does."""
    found = noise_floor_status(RUN, BEAT)
    assert (found.state, found.failed) == ("failing", 516)
    assert "cannot be measured" in (found.error or "")
    assert shadow_status(RUN, BEAT).error is None
    some = structs.replace(BEAT, scored=1)
    assert noise_floor_status(RUN, some) == shadow_status(RUN, some)
    assert noise_floor_status(RUN, None).state == "starting"
