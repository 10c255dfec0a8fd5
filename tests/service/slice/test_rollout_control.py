"""Decisions that clients ask for: what takes long holds up nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from gnomon import rollout
from gnomon.errors import Busy
from gnomon.rollout.actor import Actor
from gnomon.rollout.history import RolloutEvent
from gnomon.service.slice import rollout_control
from gnomon.service.slice.rollout_control import RolloutControl
from gnomon.settings import Settings

ANN = Actor(by="ann", authenticated="token ann")


def control(settings: Settings) -> RolloutControl:
    """The control of a slice whose other parts do nothing."""

    async def nothing(*_: object) -> None:
        pass

    history = SimpleNamespace(model="toy")
    history.copy = lambda: history
    follower = SimpleNamespace(
        history=history, keeping=lambda tag: contextlib.nullcontext(), decided=nothing
    )
    lanes = SimpleNamespace(warm=nothing, digests={})
    parts: Any = (None, settings, None, SimpleNamespace(name="a"), lanes, follower, None, None)
    return RolloutControl(*parts)


def test_promotions_that_wait_for_their_gates_hold_up_neither_a_rollback_nor_threads(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback takes a moment, whoever promotes; promotions beyond a few are refused."""
    evaluating, go_on = threading.Semaphore(0), threading.Event()

    def promote(*_: object, **__: object) -> RolloutEvent:
        evaluating.release()
        go_on.wait(30)
        return RolloutEvent(kind="promote", artifact="toy:2")

    def rolled_back(*_: object, **__: object) -> RolloutEvent:
        return RolloutEvent(kind="rollback", artifact="toy:1")

    monkeypatch.setattr(rollout, "promote", promote)
    monkeypatch.setattr(rollout, "rollback", rolled_back)
    monkeypatch.setattr(rollout_control, "inspect", lambda tag: SimpleNamespace(tag=tag))
    most = rollout_control._PROMOTIONS

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        slice_ = control(settings)
        promoting = [
            asyncio.ensure_future(slice_.promote("toy:2", False, by=ANN, why=None))
            for _ in range(most)
        ]
        try:
            for _ in range(most):
                while not evaluating.acquire(blocking=False):
                    await asyncio.sleep(0.001)
            with pytest.raises(Busy, match="promotions are being decided"):
                await slice_.promote("toy:3", False, by=ANN, why=None)
            event = await asyncio.wait_for(slice_.rollback(by=ANN, why=None), 10)
            assert event.kind == "rollback"
        finally:
            go_on.set()
        await asyncio.gather(*promoting)
        assert (await slice_.promote("toy:3", False, by=ANN, why=None)).kind == "promote"

    asyncio.run(run())
