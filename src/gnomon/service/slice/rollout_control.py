"""Rollout decisions that clients request from a running slice, which applies them at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gnomon import rollout
from gnomon.api.log_query import CheckGates, LogQuery
from gnomon.api.query_process import SECONDS, QueryProcess
from gnomon.artifact import inspect
from gnomon.errors import Busy, GnomonError, HistoryDamaged
from gnomon.policy import Policy
from gnomon.rollout.actor import AUTOMATIC, Actor
from gnomon.rollout.decisions.automatic import BY, Automatic, Step
from gnomon.rollout.evidence.excuse import RecordedExcuse
from gnomon.rollout.gate import Gates
from gnomon.rollout.history import RolloutEvent
from gnomon.rollout.history.past_state import PastState, state_at
from gnomon.service.access.access import Access
from gnomon.service.control_bodies import (
    AddExcuse,
    Approve,
    Decisions,
    EndExcuse,
    Promote,
    Rollback,
    StartShadow,
    StopShadow,
    Withdraw,
)
from gnomon.service.slice.claim import SliceClaim
from gnomon.service.slice.loaded_artifacts import LoadedArtifacts
from gnomon.service.slice.log_queries import LogQueries
from gnomon.service.slice.rollout_follower import RolloutFollower
from gnomon.service.slice.status_view import StatusView
from gnomon.service.status.slice_status import Status
from gnomon.service.tasks import OwnThreads, in_thread
from gnomon.settings import Settings
from gnomon.tokens.issued_tokens import IssuedToken, list_tokens

__all__ = ["RolloutControl"]

T = TypeVar("T")

logger = logging.getLogger("gnomon")

FORCED_SECONDS = 10.0
"""How long a forced promotion waits for gates, which are then only for the history."""
_PROMOTIONS = 4
"""How many promotions are decided at a time: each evaluates gates in a process of its own."""


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
        queries: answers questions about the log.
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
        queries: LogQueries,
    ) -> None:
        self.access = access
        self._settings = settings
        self._policy_path = policy
        self._policy = Policy.read(policy) if policy is not None else Policy()
        self._claim = claim
        self._lanes = lanes
        self._follower = follower
        self._view = view
        self._queries = queries
        self._promoting = OwnThreads("promote", _PROMOTIONS)
        self._promotions = 0

    def close(self) -> None:
        """End the threads."""
        self._promoting.close()

    async def start_shadow(self, request: StartShadow, by: Actor) -> RolloutEvent:
        """Start an artifact as a shadow; on return this slice runs it."""
        fraction = request.fraction
        return await self._decide(
            rollout.start_shadow,
            request.artifact,
            fraction=self._policy.sampling.fraction if fraction is None else fraction,
            policy=self._policy,
            same=request.same,
            preprocessing=request.preprocessing,
            force=request.force,
            by=by,
            why=request.why,
        )

    async def stop_shadow(self, request: StopShadow, by: Actor) -> RolloutEvent:
        """Stop a shadow."""
        return await self._decide(rollout.stop_shadow, request.artifact, by=by, why=request.why)

    async def add_excuse(self, request: AddExcuse, by: Actor) -> RolloutEvent:
        """Excuse a column or a segment until a time."""
        return await self._decide(
            rollout.add_excuse,
            request.target,
            artifact=request.artifact,
            owner=request.owner,
            until=request.until,
            by=by,
            why=request.why,
        )

    async def end_excuse(self, request: EndExcuse, by: Actor) -> RolloutEvent:
        """End an excuse."""
        return await self._decide(rollout.end_excuse, request.number, by=by, why=request.why)

    async def promote(self, request: Promote, by: Actor) -> RolloutEvent:
        """Make an artifact live: load and verify it next to the old one, check the gates, swap."""
        return await self._promote_at_request(
            rollout.promote, rollout.precheck_promotion, request, by, force=request.force
        )

    async def approve(self, request: Approve, by: Actor, *, may_force: bool) -> RolloutEvent:
        """Promote an artifact that another person has proposed, as :meth:`promote` does."""
        return await self._promote_at_request(
            rollout.approve, rollout.precheck_approval, request, by, may_force=may_force
        )

    async def withdraw(self, request: Withdraw, by: Actor) -> RolloutEvent:
        """Withdraw a proposed promotion."""
        return await self._decide(rollout.withdraw, request.artifact, by=by, why=request.why)

    async def rollback(self, request: Rollback, by: Actor) -> RolloutEvent:
        """Make the previous artifact live again; it is still warm, so this takes milliseconds."""
        return await self._decide(
            rollout.rollback, by=by, why=request.why, verified=self._lanes.digests
        )

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
        return await self._promote(rollout.promote, step.artifact, ask=lambda *_: gates, **options)

    async def history(self) -> Decisions:
        """Return every rollout decision, oldest first, and why some may be missing, if they may."""
        await self._follower.follow(check=True)
        error = self._follower.history_error
        return Decisions(list(self._follower.history.events), None if error is None else str(error))

    async def ask(self, query: LogQuery[T]) -> T:
        """Answer a question about the log; see :class:`LogQueries`."""
        return await self._queries.ask(query)

    async def state_at(self, at: datetime) -> PastState:
        """Return what answered at a time.

        Raises:
            HistoryDamaged: the history does not say.
        """
        decisions = await self.history()
        if decisions.damage is not None:
            raise HistoryDamaged(decisions.damage)
        return state_at(decisions.events, at)

    def excuses(self) -> tuple[RecordedExcuse, ...]:
        """Return the excuses that were not ended, also those that have expired."""
        return self._follower.state.excuses

    async def issued_tokens(self) -> tuple[IssuedToken, ...]:
        """Return the tokens that are for this deployment, without their secrets."""
        model = self._follower.history.model
        found = await in_thread(list_tokens, settings=self._settings)
        return tuple(token for token in found if not token.models or model in token.models)

    def status(self) -> Status:
        """Return what this slice runs now."""
        return self._view.status()

    def _read_policy(self) -> Policy:
        """Read the policy again, as gates do: its ``[rollout]`` table says how to watch."""
        return self._policy if self._policy_path is None else Policy.read(self._policy_path)

    def _ask_gates(self, by: Actor, tag: str, force: bool) -> Gates:
        model = self._follower.history.model
        query = CheckGates(artifact=tag)
        process = QueryProcess(self._settings, model, self._policy_path, query)
        try:
            return process.result(FORCED_SECONDS if force else SECONDS)
        except GnomonError as error:
            if force:
                logger.warning("the decision on %s by force is without gates: %s", tag, error)
            raise
        finally:
            self.access.check_actor(by)  # It took a while.

    def _named(self, by: Actor) -> Actor:
        """Return who decides; this slice, if nobody is named."""
        return by if by.by else msgspec.structs.replace(by, by=self._claim.name or None)

    async def _promote_at_request(
        self,
        decision: Callable[..., RolloutEvent],
        precheck: Callable[..., None],
        request: Promote | Approve,
        by: Actor,
        **options: Any,
    ) -> RolloutEvent:
        """Decide on a promotion; what can be refused at once is, before anything is loaded."""
        tag = (await asyncio.to_thread(inspect, request.artifact)).tag
        history = self._follower.history.copy()
        await asyncio.to_thread(
            precheck,
            self._settings,
            history.model,
            tag,
            policy=await asyncio.to_thread(self._read_policy),
            by=self._named(by),
            history=history,
            **options,
        )
        ask = partial(self._ask_gates, by)
        return await self._promote(decision, tag, by=by, why=request.why, ask=ask, **options)

    async def _promote(
        self, decision: Callable[..., RolloutEvent], tag: str, **options: Any
    ) -> RolloutEvent:
        """Decide on a promotion, whose gates take a while, in threads that hold nothing else up."""
        if self._promotions >= _PROMOTIONS:
            raise Busy(f"{_PROMOTIONS} promotions are being decided", hint="ask again later")
        self._promotions += 1
        try:
            with self._follower.keeping(tag):
                await self._lanes.warm(tag)
                policy = await asyncio.to_thread(self._read_policy)
                return await self._decide(
                    decision, tag, policy=policy, run=self._promoting.run, **options
                )
        finally:
            self._promotions -= 1

    async def _decide(
        self,
        decision: Callable[..., RolloutEvent],
        *args: Any,
        by: Actor,
        run: Callable[..., Awaitable[RolloutEvent]] = asyncio.to_thread,
        **options: Any,
    ) -> RolloutEvent:
        """Make a rollout decision in a thread, then apply it to this slice at once."""
        self.access.check_actor(by)
        history = self._follower.history.copy()
        event = await run(
            decision,
            self._settings,
            history.model,
            *args,
            by=self._named(by),
            history=history,
            **options,
        )
        await self._follower.decided(history)
        return event
