"""The claim of a slice's name."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing

import pytest

from gnomon.service.lane.recording import Recorder
from gnomon.service.metrics import Metrics
from gnomon.service.slice.claim import SliceClaim
from gnomon.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore:bentoml.metrics:DeprecationWarning")


def test_a_reason_that_stays_is_logged_once(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway tries again every second, perhaps for hours; another reason is logged again."""
    spool = settings.spool_path
    spool.parent.mkdir(parents=True)
    spool.write_text("in the way")

    async def take_often(claim: SliceClaim) -> None:
        for _ in range(3):
            await claim.take()
        spool.unlink()
        spool.symlink_to(spool)
        await claim.take()
        await claim.take()

    with closing(Metrics("toy")) as metrics, caplog.at_level(logging.ERROR, logger="gnomon"):
        claim = SliceClaim("toy", settings, Recorder(settings, metrics))
        asyncio.run(take_often(claim))
    assert claim.name == ""
    first, second = [record.getMessage() for record in caplog.records]
    assert "Not a directory" in first
    assert "symbolic links" in second
