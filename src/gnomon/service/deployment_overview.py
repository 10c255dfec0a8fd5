"""A deployment as its storage root shows it: every slice, also those that are gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from gnomon.errors import GnomonError
from gnomon.rollout.history import History, RolloutState, read_history
from gnomon.service.shadow_status import shadow_status
from gnomon.service.status import Books, Live, ShadowStatus, Status
from gnomon.settings import Settings
from gnomon.shadow import slices
from gnomon.shadow.shadow_counts import Latency
from gnomon.shadow.slices import Heartbeat
from gnomon.storage import Storage

__all__ = ["Gone", "Overview", "overview", "reported"]


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """A slice that says nothing any more.

    Attributes:
        slice: its name.
        host: the machine it was on.
        since: when it was last heard of.
        waiting: rows that running shadows had still to score there, by shadow.
    """

    slice: str
    host: str
    since: datetime
    waiting: dict[str, int] = {}


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment, now.

    Attributes:
        place: where it was asked: a URL or a storage root.
        slices: what each slice says of itself; one entry says what would run if none runs.
        gone: the slices that are silent.
        problems: what is wrong under the storage root: a damaged history, reports of slices that
            cannot be read.
    """

    place: str
    slices: list[Status]
    gone: list[Gone] = []
    problems: list[str] = []


def overview(
    settings: Settings,
    model: str,
    *,
    place: str,
    ask: Callable[[], list[Status]],
    url: str | None = None,
) -> Overview:
    """The deployment of a model under the storage root, or the one slice that answers elsewhere.

    A slice that runs alone is asked itself. Several are taken from what they last said in the
    storage root, at most ``GNOMON_FOLLOW_SECONDS`` ago: behind one URL one of them answers.

    Args:
        settings: name the storage root.
        model: the deployment's model name.
        place: where ``ask`` asks, to be shown.
        ask: asks the slice that answers.
        url: where that is, if it was named; under another URL than those the storage root knows
            is a deployment of its own.
    """
    found = slices.find(Storage(settings), model)
    if url is not None and all(beat.url != url for beat in found.beats):
        return Overview(place=place, slices=ask())
    history, damage = read_history(settings, model)
    several = sum(not beat.is_stale() for beat in found.beats) > 1
    return Overview(
        place=place,
        slices=reported(settings, model) if several else ask(),
        gone=[_gone(beat, history.state) for beat in found.beats if beat.is_stale()],
        problems=[str(e) for e in (damage, *found.unreadable.values()) if e is not None],
    )


def reported(settings: Settings, model: str) -> list[Status]:
    """What each running slice last reported of itself; without one, what a server would run."""
    history, damage = read_history(settings, model)
    beats = slices.read(Storage(settings), model)
    running = [beat for beat in beats if not beat.is_stale()]
    if running:
        return [_status(beat, history) for beat in running]
    return [_at_rest(model, history, damage)]


def _status(beat: Heartbeat, history: History) -> Status:
    return Status(
        model=beat.model,
        ready=beat.live is not None,
        slice=beat.slice,
        started=beat.started,
        epoch=beat.epoch,
        live=_live(beat.live, history, beat.latency_ms),
        previous=beat.previous,
        shadows=tuple(
            shadow_status(s, beat.shadow(tag)) for tag, s in history.state.shadows.items()
        ),
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


def _live(tag: str | None, history: History, took: Latency | None = None) -> Live | None:
    if tag is None:
        return None
    decided = [e for e in history.events if e.artifact == tag and e.kind in ("promote", "rollback")]
    return Live(
        artifact=tag,
        digest=decided[-1].digest if decided else None,
        since=decided[-1].at if decided else None,
        latency_ms=took,
    )


def _gone(beat: Heartbeat, state: RolloutState) -> Gone:
    waiting = {
        said.artifact: said.lagging
        for said in beat.shadows
        if said.lagging
        and (running := state.shadows.get(said.artifact)) is not None
        and running.since == said.epoch
    }
    return Gone(slice=beat.slice, host=beat.host, since=beat.updated, waiting=waiting)
