"""The decisions that a slice takes by itself, by the policy's ``[rollout]`` table.

The gates are evaluated in another process, one artifact at a time. Of several slices only the one
whose name comes first evaluates them; if two do for a moment, only one event can be recorded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from gnomon.api.log_query import CheckGates, CheckWatch
from gnomon.api.query_process import QueryProcess
from gnomon.errors import GnomonError, RolloutConflict
from gnomon.policy import Policy
from gnomon.rollout.decisions.automatic import (
    Automatic,
    FailedLooks,
    Step,
    because,
    promotable,
    window_over,
)
from gnomon.rollout.gate import Gates
from gnomon.rollout.history import RolloutState
from gnomon.rollout.watch_window import open_watch
from gnomon.service.slice.automation_report import AutomationReport
from gnomon.service.slice.claim import SliceClaim
from gnomon.service.slice.rollout_control import RolloutControl
from gnomon.service.slice.rollout_follower import RolloutFollower
from gnomon.service.tasks import OwnThreads, in_thread
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.shadow.heartbeats import Heartbeat
from gnomon.storage import Storage

__all__ = ["STEP_SECONDS", "RolloutAutomation", "first_slice"]

logger = logging.getLogger("gnomon")

STEP_SECONDS = 1.0
"""How often it is checked whether a look at the gates is due, or a watch window over."""

IDLE_SECONDS = 5.0
"""How soon a new shadow is looked at for the first time, if there was nothing to look at."""


class RolloutAutomation:
    """Looks at the gates at the policy's interval, and decides what the policy lets it decide.

    Args:
        settings: have the storage root with the rollout and the log.
        policy: the policy file, read again at each look; the defaults without one.
        claim: has the slice's name.
        follower: has the state of the rollout.
        control: takes the decisions.
        report: receives what the status shows.
    """

    def __init__(
        self,
        settings: Settings,
        policy: Path | None,
        claim: SliceClaim,
        follower: RolloutFollower,
        control: RolloutControl,
        report: AutomationReport,
    ) -> None:
        self._settings = settings
        self._storage = Storage(settings)
        self._policy_path = policy
        self._claim = claim
        self._follower = follower
        self._control = control
        self._report = report
        self._failed = FailedLooks()
        self._looking = OwnThreads("look at gates", 1)
        self._look_at = 0.0
        self._seen = -1

    def close(self) -> None:
        """End the threads."""
        self._looking.close()

    async def step(self) -> None:
        """Look at the gates if it is time for that, or end a watch window that is over."""
        now = asyncio.get_running_loop().time()
        state = self._follower.state
        over = window_over(state, datetime.now(UTC))
        is_due = now >= self._look_at
        if not is_due and over is None and self._seen == state.epoch:
            return
        if is_due:
            self._look_at = now + IDLE_SECONDS
        if not await self._read_policy(state) or not (over or is_due):
            return
        if self._follower.live is None or self._follower.error is not None:
            return  # The state is not known, or not applied.
        if over is None and not self._has_work(state):
            self._report.says = None
            return
        if await in_thread(self._is_first):
            self._look_at = now + self._report.policy.rollout.check_seconds
            await self._decide(over or await self._look(state), state)

    async def _read_policy(self, state: RolloutState) -> bool:
        """Read the policy, and return whether that was possible."""
        self._seen = state.epoch
        try:
            if self._policy_path is not None:
                self._report.policy = await in_thread(Policy.read, self._policy_path)
        except GnomonError as error:
            self._report.says = f"nothing is decided automatically: {error}"
            return False
        return True

    def _has_work(self, state: RolloutState) -> bool:
        mode = self._report.policy.rollout.mode
        return state.watch is not None or (mode != "advise" and bool(state.judged))

    def _is_first(self) -> bool:
        beats = heartbeats.read(self._storage, self._follower.history.model)
        return self._claim.name == first_slice(beats)

    async def _look(self, state: RolloutState) -> Step | None:
        """Evaluate the gates, and return the decision that follows, if any."""
        try:
            return await self._rollback(state) or await self._judge_shadows(state)
        except GnomonError as error:
            self._report.says = (
                f"nothing is decided automatically, as the gates were not evaluated: {error}"
            )
            return None

    async def _rollback(self, state: RolloutState) -> Step | None:
        watch = open_watch(state.watch)
        if watch is None:
            return None
        gates = await self._evaluate(None)
        self._report.checked()
        failed = self._failed.deciding(watch.artifact, watch.since, gates.gates)
        if not failed:
            return None
        return Step("rollback", watch.previous, because(failed), gates)

    async def _judge_shadows(self, state: RolloutState) -> Step | None:
        mode = self._report.policy.rollout.mode
        passing: list[Gates] = []
        for shadow in state.judged if mode != "advise" else ():
            gates = await self._evaluate(shadow.artifact)
            self._report.checked()
            failed = self._failed.deciding(shadow.artifact, shadow.since, gates.gates)
            if failed:
                return Step("abort", shadow.artifact, because(failed), gates)
            if gates.verdict == "pass":
                passing.append(gates)
        step, instead = promotable(state, mode, passing)
        self._report.says = instead
        return step

    async def _evaluate(self, artifact: str | None) -> Gates:
        model = self._follower.history.model
        query = CheckWatch() if artifact is None else CheckGates(artifact=artifact)
        process = QueryProcess(self._settings, model, self._policy_path, query)
        work = asyncio.ensure_future(self._looking.run(process.result))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            process.end()
            await asyncio.gather(work, return_exceptions=True)
            raise

    async def _decide(self, step: Step | None, state: RolloutState) -> None:
        if step is None:
            return
        what = step.kind.replace("_", " ")
        try:
            await self._control.decide_automatically(step, Automatic(state.epoch, step.gates))
        except RolloutConflict:
            logger.info("another decision came first, so this was not taken: %s", what)
        except GnomonError as error:
            logger.error("an automatic decision failed: %s %s: %s", what, step.artifact, error)
            self._report.says = f"could not {what} {step.artifact}: {error}"
        else:
            logger.warning("%s %s: %s", what, step.artifact, step.why)


def first_slice(beats: Iterable[Heartbeat]) -> str | None:
    """Return the slice that evaluates the gates: the first of those that follow the rollout."""
    return min((b.slice for b in beats if not b.is_stale() and b.error is None), default=None)
