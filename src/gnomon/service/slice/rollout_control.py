"""Rollout decisions that clients request from a running slice, which applies them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from gnomon import rollout
from gnomon.artifact import inspect
from gnomon.labels.label_counts import LabelStatus
from gnomon.policy import Policy
from gnomon.rollout.actor import AUTOMATIC, Actor
from gnomon.rollout.decisions.automatic import BY, Automatic, Step
from gnomon.rollout.gate import Gates
from gnomon.rollout.history import RolloutEvent
from gnomon.rollout.processes.gate_evaluation import check_in_process
from gnomon.rollout.processes.label_count import count_in_process
from gnomon.service.access.access import Access
from gnomon.service.control import Decisions
from gnomon.service.slice.claim import SliceClaim
from gnomon.service.slice.loaded_artifacts import LoadedArtifacts
from gnomon.service.slice.rollout_follower import RolloutFollower
from gnomon.service.slice.status_view import StatusView
from gnomon.service.status.slice_status import Status
from gnomon.service.tasks import in_thread
from gnomon.settings import Settings

__all__ = ["RolloutControl"]


class RolloutControl:
    """The implementation of :class:`~gnomon.service.control.Controlled` for the control routes.

    Args:
        access: finds out who calls, and refuses those who may not.
        settings: have the storage root with the rollout.
        policy: the policy file; defaults apply without one.
        claim: has the slice's name, which is recorded as who decided if a caller with the control
            token gives none.
        lanes: load and verify an artifact before it is promoted.
        follower: applies a decision to this slice.
        view: has the status.
    """

    def __init__(
        self,
        access: Access,
        settings: Settings,
        policy: Path | None,
        claim: SliceClaim,
        lanes: LoadedArtifacts,
        follower: RolloutFollower,
        view: StatusView,
    ) -> None:
        self.access = access
        self._settings = settings
        self._policy_path = policy
        self._policy = Policy.read(policy) if policy is not None else Policy()
        self._claim = claim
        self._lanes = lanes
        self._follower = follower
        self._view = view
        self._counting = asyncio.Lock()

    async def start_shadow(
        self,
        artifact: str,
        fraction: float | None,
        same: bool,
        force: bool,
        *,
        preprocessing: str | None,
        by: Actor,
        why: str | None,
    ) -> RolloutEvent:
        """Start an artifact as a shadow; on return this slice runs it."""
        return await self._decide(
            rollout.start_shadow,
            artifact,
            fraction=self._policy.sampling.fraction if fraction is None else fraction,
            policy=self._policy,
            same=same,
            preprocessing=preprocessing,
            force=force,
            by=by,
            why=why,
        )

    async def stop_shadow(self, artifact: str, *, by: Actor, why: str | None) -> RolloutEvent:
        """Stop a shadow."""
        return await self._decide(rollout.stop_shadow, artifact, by=by, why=why)

    async def add_excuse(
        self,
        target: str,
        artifact: str | None,
        owner: str,
        until: datetime,
        *,
        by: Actor,
        why: str | None,
    ) -> RolloutEvent:
        """Excuse a column or a segment until a time."""
        return await self._decide(
            rollout.add_excuse,
            target,
            artifact=artifact,
            owner=owner,
            until=until,
            by=by,
            why=why,
        )

    async def end_excuse(self, number: int, *, by: Actor, why: str | None) -> RolloutEvent:
        """End an excuse."""
        return await self._decide(rollout.end_excuse, number, by=by, why=why)

    async def promote(
        self, artifact: str, force: bool, *, by: Actor, why: str | None
    ) -> RolloutEvent:
        """Make an artifact live: load and verify it next to the old one, check the gates, swap."""
        tag = (await asyncio.to_thread(inspect, artifact)).tag
        with self._follower.keeping(tag):
            await self._lanes.warm(tag)
            return await self._decide(
                rollout.promote,
                tag,
                policy=await asyncio.to_thread(self._read_policy),
                force=force,
                by=by,
                why=why,
                ask=self._ask_gates,
            )

    async def approve(
        self, artifact: str, may_force: bool, *, by: Actor, why: str | None
    ) -> RolloutEvent:
        """Promote an artifact that another person has proposed, as :meth:`promote` does."""
        tag = (await asyncio.to_thread(inspect, artifact)).tag
        with self._follower.keeping(tag):
            await self._lanes.warm(tag)
            return await self._decide(
                rollout.approve,
                tag,
                may_force=may_force,
                policy=await asyncio.to_thread(self._read_policy),
                by=by,
                why=why,
                ask=self._ask_gates,
            )

    async def rollback(self, *, by: Actor, why: str | None) -> RolloutEvent:
        """Make the previous artifact live again; it is still warm, so this takes milliseconds."""
        return await self._decide(rollout.rollback, by=by, why=why, verified=self._lanes.digests)

    async def decide_automatically(self, step: Step, automatic: Automatic) -> RolloutEvent:
        """Take a decision that no person takes; refused if anything was decided meanwhile.

        Raises:
            RolloutConflict: another decision was recorded since the gates were evaluated.
        """
        by = Actor(by=BY, authenticated=AUTOMATIC)
        options: dict[str, Any] = {"by": by, "why": step.why, "automatic": automatic}
        if step.kind == "rollback":
            return await self._decide(rollout.rollback, verified=self._lanes.digests, **options)
        if step.kind != "promote":
            return await self._decide(rollout.stop_shadow, step.artifact, **options)
        gates = step.gates
        assert gates is not None, "a promotion rests on gates"
        with self._follower.keeping(step.artifact):
            await self._lanes.warm(step.artifact)
            policy = await asyncio.to_thread(self._read_policy)
            return await self._decide(
                rollout.promote, step.artifact, policy=policy, ask=lambda tag: gates, **options
            )

    async def history(self) -> Decisions:
        """Return every rollout decision, oldest first, and why some may be missing, if they may."""
        await self._follower.follow(check=True)
        error = self._follower.history_error
        return Decisions(list(self._follower.history.events), None if error is None else str(error))

    async def label_status(self) -> LabelStatus:
        """Count labels; one count at a time, as each reads the log."""
        async with self._counting:
            model = self._follower.history.model
            return await in_thread(count_in_process, self._settings, model, self._policy_path)

    def status(self) -> Status:
        """Return what this slice runs now."""
        return self._view.status()

    def _read_policy(self) -> Policy:
        """Read the policy again, as gates do: its ``[rollout]`` table says how to watch."""
        return self._policy if self._policy_path is None else Policy.read(self._policy_path)

    def _ask_gates(self, tag: str) -> Gates:
        model = self._follower.history.model
        return check_in_process(self._settings, model, tag, self._policy_path)

    async def _decide(
        self, decision: Callable[..., RolloutEvent], *args: Any, by: Actor, **options: Any
    ) -> RolloutEvent:
        """Make a rollout decision in a thread, then apply it to this slice at once."""
        history = self._follower.history.copy()
        event = await asyncio.to_thread(
            decision,
            self._settings,
            history.model,
            *args,
            by=by if by.by else msgspec.structs.replace(by, by=self._claim.name or None),
            history=history,
            **options,
        )
        await self._follower.decided(history)
        return event
