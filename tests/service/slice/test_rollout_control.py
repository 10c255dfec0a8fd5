"""Decisions that clients ask for: what takes long holds up nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from gnomon import rollout
from gnomon.api.query_process import SECONDS
from gnomon.errors import ApprovalNeeded, Busy, Unauthorized, WorkerError
from gnomon.rollout.actor import Actor
from gnomon.rollout.decisions import promotion
from gnomon.rollout.history import RolloutEvent
from gnomon.service.control_bodies import Approve, Promote, Rollback
from gnomon.service.slice import rollout_control
from gnomon.service.slice.rollout_control import FORCED_SECONDS, RolloutControl
from gnomon.settings import Settings

ANN = Actor(by="ann", authenticated="token ann")


def control(
    settings: Settings, check_actor: Callable[[Actor], None] = lambda actor: None
) -> RolloutControl:
    """The control of a slice whose other parts do nothing."""

    async def nothing(*_: object) -> None:
        pass

    history = SimpleNamespace(model="toy")
    history.copy = lambda: history
    follower = SimpleNamespace(
        history=history, keeping=lambda tag: contextlib.nullcontext(), decided=nothing
    )
    lanes = SimpleNamespace(warm=nothing, digests={})
    access = SimpleNamespace(check_actor=check_actor)
    parts: Any = (access, settings, None, SimpleNamespace(name="a"), lanes, follower, None, None)
    return RolloutControl(*parts)


def decide_by(monkeypatch: pytest.MonkeyPatch, promote: Callable[..., RolloutEvent]) -> None:
    """Promote any tag by a function, without checks before."""
    monkeypatch.setattr(rollout, "promote", promote)
    monkeypatch.setattr(rollout, "precheck_promotion", lambda *_, **__: None)
    monkeypatch.setattr(rollout_control, "inspect", lambda tag: SimpleNamespace(tag=tag))


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

    decide_by(monkeypatch, promote)
    monkeypatch.setattr(rollout, "rollback", rolled_back)
    most = rollout_control._PROMOTIONS

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        slice_ = control(settings)
        promoting = [
            asyncio.ensure_future(slice_.promote(Promote(artifact="toy:2"), ANN))
            for _ in range(most)
        ]
        try:
            for _ in range(most):
                while not evaluating.acquire(blocking=False):
                    await asyncio.sleep(0.001)
            with pytest.raises(Busy, match="promotions are being decided"):
                await slice_.promote(Promote(artifact="toy:3"), ANN)
            event = await asyncio.wait_for(slice_.rollback(Rollback(), ANN), 10)
            assert event.kind == "rollback"
        finally:
            go_on.set()
        await asyncio.gather(*promoting)
        assert (await slice_.promote(Promote(artifact="toy:3"), ANN)).kind == "promote"

    asyncio.run(run())


def test_who_was_revoked_while_gates_were_evaluated_promotes_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by force either, for which gates are given less time."""
    given: list[float] = []
    revoked: list[str] = []

    class Question:
        def __init__(self, *_: object) -> None:
            pass

        def result(self, seconds: float) -> object:
            given.append(seconds)
            revoked.append("ann")
            raise WorkerError("the gates were not evaluated in time")

    def check_actor(actor: Actor) -> None:
        if actor.by in revoked:
            raise Unauthorized("the token `ann` was revoked")

    def promote(*_: object, ask: Any, force: bool, **__: object) -> RolloutEvent:
        gates = promotion._gates_unless_forced(ask, "toy:2", force)
        return RolloutEvent(kind="promote", artifact="toy:2", forced=gates is None)

    monkeypatch.setattr(rollout_control, "QueryProcess", Question)
    decide_by(monkeypatch, promote)
    slice_ = control(settings, check_actor)
    bob = Actor(by="bob", authenticated="token bob")
    assert asyncio.run(slice_.promote(Promote(artifact="toy:2", force=True), bob)).forced
    for force in (False, True):
        revoked.clear()
        with pytest.raises(Unauthorized, match="was revoked"):
            asyncio.run(slice_.promote(Promote(artifact="toy:2", force=force), ANN))
    assert given == [FORCED_SECONDS, SECONDS, FORCED_SECONDS]


def test_what_is_refused_whatever_the_gates_say_is_refused_before_anything_is_loaded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An approval of what nobody proposed loaded the artifact first, which took many seconds."""

    def refuse(*_: object, **__: object) -> None:
        raise ApprovalNeeded("there is no proposal to promote toy:2")

    async def warm(tag: str) -> None:
        raise AssertionError("nothing is loaded")

    monkeypatch.setattr(rollout, "precheck_approval", refuse)
    monkeypatch.setattr(rollout_control, "inspect", lambda tag: SimpleNamespace(tag=tag))
    slice_ = control(settings)
    monkeypatch.setattr(slice_._lanes, "warm", warm)
    with pytest.raises(ApprovalNeeded, match="there is no proposal"):
        asyncio.run(slice_.approve(Approve(artifact="toy:2"), ANN, may_force=False))
