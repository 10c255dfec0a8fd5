"""Child processes are kept running."""

from __future__ import annotations

import asyncio
import gc
import logging

import psutil
import pyarrow as pa
import pytest
import uvloop

from gnomon.errors import WorkerError
from gnomon.service.children import Child
from gnomon.service.lane.codec import Codec
from gnomon.settings import Settings
from tests.descriptors import descriptors, spare_descriptors


def test_a_child_that_cannot_be_started_is_started_later(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said why not, and nothing is left of the attempts."""

    async def lives() -> None:
        child = Child("gnomon.log.seal", ["--model", "toy"], settings)
        with spare_descriptors(1), caplog.at_level(logging.ERROR):
            child.start()
            while child.restarts < 2:
                await asyncio.sleep(0.01)
            assert child.pid is None
        gc.collect()
        assert descriptors() == before
        assert "cannot start gnomon.log.seal: [Errno 24] Too many open files" in caplog.text
        while child.pid is None:
            await asyncio.sleep(0.01)
        await child.close()

    async def run() -> None:
        nonlocal before
        before = descriptors()
        await asyncio.wait_for(lives(), 30)

    before: dict[int, str] = {}
    children = psutil.Process().children()
    uvloop.run(run())
    assert psutil.Process().children() == children


def test_a_large_body_that_nobody_can_decode_now_gets_an_answer(settings: Settings) -> None:
    """An error that says why; the next one is decoded by a process that is started for it."""

    async def refused() -> None:
        codec = Codec(settings)
        with spare_descriptors(1), pytest.raises(WorkerError, match="Too many open files"):
            await codec.write(b"{}", pa.record_batch({"prediction": [1.0]}), "1", "toy:1")
        assert codec.pid is None
        await codec.close()

    children = psutil.Process().children()
    uvloop.run(refused())
    assert psutil.Process().children() == children
