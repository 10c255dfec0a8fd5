"""Rollout decisions recorded in the storage root, for servers that follow it now or later."""

from __future__ import annotations

from gnomon import rollout
from gnomon.cli.options import me
from gnomon.errors import HistoryDamaged
from gnomon.policy import find_policy
from gnomon.rollout.history import Event, read_history
from gnomon.service.deployment_overview import reported
from gnomon.service.status import Status
from gnomon.settings import Settings

__all__ = ["RolloutAtRoot"]


class RolloutAtRoot:
    """The storage root: every server of the model follows the decisions recorded there."""

    def __init__(self, settings: Settings, model: str) -> None:
        self.place = settings.root
        self._settings = settings
        self._model = model

    def start_shadow(
        self, artifact: str, fraction: float | None, *, same: bool, force: bool, why: str | None
    ) -> Event:
        policy = find_policy()
        return rollout.start_shadow(
            self._settings,
            self._model,
            artifact,
            fraction=policy.sampling.fraction if fraction is None else fraction,
            policy=policy,
            same=same,
            force=force,
            by=me(),
            why=why,
        )

    def stop_shadow(self, artifact: str, *, why: str | None) -> Event:
        return rollout.stop_shadow(self._settings, self._model, artifact, by=me(), why=why)

    def promote(self, artifact: str, *, force: bool, why: str | None) -> Event:
        return rollout.promote(
            self._settings,
            self._model,
            artifact,
            policy=find_policy(),
            force=force,
            by=me(),
            why=why,
        )

    def rollback(self, *, why: str | None) -> Event:
        return rollout.rollback(self._settings, self._model, by=me(), why=why)

    def pending(self, event: Event) -> str | None:
        return "It takes effect when a server with this storage root runs."

    def status(self) -> list[Status]:
        return reported(self._settings, self._model)

    def history(self) -> list[Event]:
        history, damage = read_history(self._settings, self._model)
        if damage is None:
            return history.events
        error = HistoryDamaged(damage.message, where=damage.where, hint=damage.hint)
        error.events = history.events
        raise error
