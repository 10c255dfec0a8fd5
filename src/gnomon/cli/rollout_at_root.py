"""Rollout decisions recorded in the storage root, for servers that follow it now or later."""

from __future__ import annotations

from datetime import datetime

from gnomon import rollout
from gnomon.api import decisions
from gnomon.cli.options import me
from gnomon.errors import ApprovalNeeded, HistoryDamaged
from gnomon.rollout.history import RolloutEvent, read_history
from gnomon.service.access.identity import Identity
from gnomon.service.status.deployment_overview import reported
from gnomon.service.status.slice_status import Status
from gnomon.settings import Settings

__all__ = ["RolloutAtRoot"]


class RolloutAtRoot:
    """The storage root: every server of the model follows the decisions recorded there."""

    def __init__(self, settings: Settings, model: str) -> None:
        self.place = settings.root
        self._settings = settings
        self._model = model

    def start_shadow(
        self,
        artifact: str,
        fraction: float | None,
        *,
        same: bool,
        preprocessing: str | None,
        force: bool,
        why: str | None,
    ) -> RolloutEvent:
        return decisions.start_shadow(
            artifact,
            fraction,
            same=same,
            preprocessing=preprocessing,
            force=force,
            by=me(),
            why=why,
            settings=self._settings,
        )

    def stop_shadow(self, artifact: str, *, why: str | None) -> RolloutEvent:
        return decisions.stop_shadow(artifact, by=me(), why=why, settings=self._settings)

    def add_excuse(
        self, target: str, *, artifact: str | None, owner: str, until: datetime, why: str
    ) -> RolloutEvent:
        return rollout.add_excuse(
            self._settings,
            self._model,
            target,
            artifact=artifact,
            owner=owner,
            until=until,
            why=why,
            by=me(),
        )

    def end_excuse(self, number: int, *, why: str | None) -> RolloutEvent:
        return decisions.end_excuse(number, self._model, by=me(), why=why, settings=self._settings)

    def promote(self, artifact: str, *, force: bool, why: str | None) -> RolloutEvent:
        return decisions.promote(artifact, force=force, by=me(), why=why, settings=self._settings)

    def approve(self, artifact: str, *, why: str | None) -> RolloutEvent:
        raise ApprovalNeeded(
            "an approval is made at a running server, which knows who you are; none runs",
            where=self.place,
            hint="start one with `gnomon serve`, or give --url",
        )

    def withdraw(self, artifact: str | None, *, why: str | None) -> RolloutEvent:
        return rollout.withdraw(self._settings, self._model, artifact, by=me(), why=why)

    def rollback(self, *, why: str | None) -> RolloutEvent:
        return decisions.rollback(self._model, by=me(), why=why, settings=self._settings)

    def pending(self, event: RolloutEvent) -> str | None:
        return "It takes effect when a server with this storage root runs."

    def slices(self) -> list[Status]:
        return reported(self._settings, self._model)

    def whoami(self) -> Identity | None:
        return None

    def history(self) -> list[RolloutEvent]:
        history, damage = read_history(self._settings, self._model)
        if damage is None:
            return history.events
        error = HistoryDamaged(damage.message, where=damage.where, hint=damage.hint)
        error.events = history.events
        raise error
