"""Rollout decisions recorded in the storage root, for a server that follows it or will."""

from __future__ import annotations

import msgspec

from gnomon import rollout
from gnomon.cli.deployment import find_policy
from gnomon.cli.options import me
from gnomon.errors import GnomonError, HistoryDamaged, UnreadableFile
from gnomon.rollout.history import Event, History
from gnomon.service.shadow_status import shadow_status
from gnomon.service.status import Books, Latency, Live, ShadowStatus, Status
from gnomon.settings import Settings
from gnomon.shadow import slices
from gnomon.shadow.feed import progress
from gnomon.shadow.slices import Heartbeat
from gnomon.storage import Storage

__all__ = ["AtRoot", "read_history"]


class AtRoot:
    """The storage root: every server of the model follows what is recorded there."""

    def __init__(self, settings: Settings, model: str) -> None:
        self.place = settings.root
        self._settings = settings
        self._model = model

    def start_shadow(
        self, artifact: str, fraction: float | None, *, same: bool, force: bool, why: str | None
    ) -> Event:
        return rollout.start_shadow(
            self._settings,
            self._model,
            artifact,
            fraction=find_policy().sampling.fraction if fraction is None else fraction,
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

    def status(self) -> list[Status]:
        history, damage = read_history(self._settings, self._model)
        beats = slices.read(Storage(self._settings), self._model)
        running = [beat for beat in beats if not beat.is_stale()]
        if running:
            return [_status(beat, history) for beat in running]
        return [_at_rest(self._model, history, damage)]

    def history(self) -> list[Event]:
        history, damage = read_history(self._settings, self._model)
        if damage is None:
            return history.events
        error = HistoryDamaged(damage.message, where=damage.where, hint=damage.hint)
        error.events = history.events
        raise error


def read_history(settings: Settings, model: str) -> tuple[History, GnomonError | None]:
    """A model's history as far as it can be read, and what is wrong with it."""
    history = History(Storage(settings), model)
    try:
        history.refresh()
    except (HistoryDamaged, UnreadableFile) as error:
        return history, error
    return history, None


def _status(beat: Heartbeat, history: History) -> Status:
    """What a slice last reported of itself."""
    state = history.state
    return Status(
        model=beat.model,
        ready=beat.live is not None,
        slice=beat.slice,
        started=beat.started,
        epoch=beat.epoch,
        live=_live(beat.live, history, beat.latency_ms),
        previous=beat.previous,
        shadows=tuple(shadow_status(s, beat.shadow(tag)) for tag, s in state.shadows.items()),
        books=msgspec.convert(beat.books, Books),
        error=beat.error,
    )


def _at_rest(model: str, history: History, damage: GnomonError | None) -> Status:
    """What a server would run if there were one."""
    if damage is not None:  # A server would not start: what the events before it say is not all.
        return Status(model=model, ready=False, error=str(damage))
    state = history.state
    return Status(
        model=model,
        ready=False,
        epoch=state.epoch,
        live=_live(state.live, history),
        previous=state.previous,
        shadows=tuple(
            ShadowStatus(artifact=tag, fraction=shadow.fraction, since=shadow.at, state="at rest")
            for tag, shadow in state.shadows.items()
        ),
        error="no server is running",
    )


def _live(tag: str | None, history: History, took: progress.Latency | None = None) -> Live | None:
    if tag is None:
        return None
    decided = [e for e in history.events if e.artifact == tag and e.kind in ("promote", "rollback")]
    return Live(
        artifact=tag,
        digest=decided[-1].digest if decided else None,
        since=decided[-1].at if decided else None,
        latency_ms=None if took is None else Latency(p50=took.p50, p99=took.p99),
    )
