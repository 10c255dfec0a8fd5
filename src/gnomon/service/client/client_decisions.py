"""The calls of a client that decide what is live and what is in shadow."""

from __future__ import annotations

from datetime import datetime

from msgspec import structs

from gnomon.rollout.history import RolloutEvent
from gnomon.service.client import calls
from gnomon.service.client.calls import AsyncSender, Sender
from gnomon.service.control_bodies import (
    AddExcuse,
    Approve,
    DecisionRequest,
    EndExcuse,
    Promote,
    Rollback,
    StartShadow,
    StopShadow,
    Withdraw,
)

__all__ = ["AsyncClientDecisions", "ClientDecisions"]


class ClientDecisions(Sender):
    """The decisions of :class:`~gnomon.Client`."""

    _by: str | None

    def start_shadow(
        self,
        artifact: str,
        fraction: float | None = None,
        *,
        same: bool = False,
        preprocessing: str | None = None,
        force: bool = False,
        why: str | None = None,
    ) -> RolloutEvent:
        """Start an artifact as a shadow, for a share of the entities.

        Args:
            artifact: its tag.
            fraction: the share, above 0 and at most 1; by default the policy's.
            same: shadow the live artifact itself, to measure the noise floor.
            preprocessing: another artifact's tag: the model of this one runs on its preprocessing,
                for debugging.
            force: start it even if its contract refuses requests that clients send today; this is
                recorded.
            why: the reason, for the history.

        Raises:
            IncompatibleContract: the artifact would refuse requests that the live one gets.
            PackRefused: it cannot run on that preprocessing.
            RolloutError: the artifact is live, or in shadow already.
        """
        return self._decide(
            StartShadow(
                artifact=artifact,
                fraction=fraction,
                same=same,
                force=force,
                preprocessing=preprocessing,
                why=why,
            )
        )

    def stop_shadow(self, artifact: str, *, why: str | None = None) -> RolloutEvent:
        """Stop a shadow."""
        return self._decide(StopShadow(artifact=artifact, why=why))

    def add_excuse(
        self,
        target: str,
        *,
        owner: str,
        until: datetime,
        why: str,
        artifact: str | None = None,
    ) -> RolloutEvent:
        """Excuse an output column, or a segment such as ``origin=JFK``, until a time.

        ``until`` needs a time zone. Without an ``artifact`` it is of the only shadow.
        """
        return self._decide(
            AddExcuse(target=target, artifact=artifact, owner=owner, until=until, why=why)
        )

    def end_excuse(self, number: int, *, why: str | None = None) -> RolloutEvent:
        """End the excuse with this number."""
        return self._decide(EndExcuse(number=number, why=why))

    def promote(
        self, artifact: str, *, force: bool = False, why: str | None = None
    ) -> RolloutEvent:
        """Make an artifact live. ``force`` overrides gates that do not pass; this is recorded.

        If the policy asks for two people and you are the first, the event is a proposal
        (``kind="propose"``), which another one approves.

        Raises:
            ApprovalNeeded: the policy asks for two people, and you have proposed it already.
            GateRefused: a gate fails.
            GateUndecided: no gate fails, but one lacks evidence.
            RolloutConflict: another decision was recorded first.
        """
        return self._decide(Promote(artifact=artifact, force=force, why=why))

    def approve(self, artifact: str, *, why: str | None = None) -> RolloutEvent:
        """Promote an artifact that another person has proposed; its gates are evaluated again.

        Raises:
            ApprovalNeeded: nobody has proposed it, or you have.
            GateRefused, GateUndecided, RolloutConflict: as :meth:`promote`.
        """
        return self._decide(Approve(artifact=artifact, why=why))

    def withdraw(self, artifact: str | None = None, *, why: str | None = None) -> RolloutEvent:
        """Withdraw a proposed promotion: nobody can approve it any more.

        Args:
            artifact: its tag; the only proposal when not given.
            why: the reason, for the history.

        Raises:
            RolloutError: there is no such proposal, or it has expired.
        """
        return self._decide(Withdraw(artifact=artifact, why=why))

    def rollback(self, *, why: str | None = None) -> RolloutEvent:
        """Make the previous artifact live again."""
        return self._decide(Rollback(why=why))

    def _decide(self, decision: DecisionRequest) -> RolloutEvent:
        return self._send(calls.decide(structs.replace(decision, by=self._by)))


class AsyncClientDecisions(AsyncSender):
    """The decisions of :class:`~gnomon.AsyncClient`."""

    _by: str | None

    async def start_shadow(
        self,
        artifact: str,
        fraction: float | None = None,
        *,
        same: bool = False,
        preprocessing: str | None = None,
        force: bool = False,
        why: str | None = None,
    ) -> RolloutEvent:
        """Like :meth:`Client.start_shadow`."""
        return await self._decide(
            StartShadow(
                artifact=artifact,
                fraction=fraction,
                same=same,
                force=force,
                preprocessing=preprocessing,
                why=why,
            )
        )

    async def stop_shadow(self, artifact: str, *, why: str | None = None) -> RolloutEvent:
        """Like :meth:`Client.stop_shadow`."""
        return await self._decide(StopShadow(artifact=artifact, why=why))

    async def add_excuse(
        self,
        target: str,
        *,
        owner: str,
        until: datetime,
        why: str,
        artifact: str | None = None,
    ) -> RolloutEvent:
        """Like :meth:`Client.add_excuse`."""
        return await self._decide(
            AddExcuse(target=target, artifact=artifact, owner=owner, until=until, why=why)
        )

    async def end_excuse(self, number: int, *, why: str | None = None) -> RolloutEvent:
        """Like :meth:`Client.end_excuse`."""
        return await self._decide(EndExcuse(number=number, why=why))

    async def promote(
        self, artifact: str, *, force: bool = False, why: str | None = None
    ) -> RolloutEvent:
        """Like :meth:`Client.promote`."""
        return await self._decide(Promote(artifact=artifact, force=force, why=why))

    async def approve(self, artifact: str, *, why: str | None = None) -> RolloutEvent:
        """Like :meth:`Client.approve`."""
        return await self._decide(Approve(artifact=artifact, why=why))

    async def withdraw(
        self, artifact: str | None = None, *, why: str | None = None
    ) -> RolloutEvent:
        """Like :meth:`Client.withdraw`."""
        return await self._decide(Withdraw(artifact=artifact, why=why))

    async def rollback(self, *, why: str | None = None) -> RolloutEvent:
        """Like :meth:`Client.rollback`."""
        return await self._decide(Rollback(why=why))

    async def _decide(self, decision: DecisionRequest) -> RolloutEvent:
        return await self._send(calls.decide(structs.replace(decision, by=self._by)))
