"""The estimates of quality from Python, without a server."""

from __future__ import annotations

import pytest

import gnomon
from gnomon.errors import RolloutError
from gnomon.settings import Settings
from tests.packing import Pack, times


@pytest.mark.slow
def test_an_artifact_that_never_ran_has_no_estimate(settings: Settings, pack: Pack) -> None:
    """It was said to be live, with no rows."""
    live, other = pack(times(1.0)), pack(times(2.0))
    gnomon.promote(live, settings=settings)
    with pytest.raises(RolloutError, match=f"`{other}` was never live nor a shadow") as caught:
        gnomon.estimate_quality(other, settings=settings)
    assert f"gnomon shadow start {other}" in str(caught.value)
