"""An overview of a deployment from its storage root: every slice, including those that are gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec import structs

from gnomon.errors import GnomonError
from gnomon.rollout.history import History, RolloutState, Shadow, read_history
from gnomon.service.status.automation_status import AutomationStatus
from gnomon.service.status.proposal_status import ProposalStatus, ProposalView
from gnomon.service.status.shadow_status import noise_floor_status, shadow_status
from gnomon.service.status.slice_status import LiveStatus, RowAccounts, ShadowStatus, Status
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.shadow.heartbeats import Heartbeat
from gnomon.shadow.shadow_counts import Latency
from gnomon.storage import Storage

__all__ = ["GoneSlice", "Overview", "overview", "reported"]


class GoneSlice(msgspec.Struct, frozen=True, kw_only=True):
    """A slice that does not report any more.

    Attributes:
        slice: its name.
        host: the machine it was on.
        since: the time of its last report.
        waiting: rows that running shadows still had to score there, by shadow.
    """

    slice: str
    host: str
    since: datetime
    waiting: dict[str, int] = {}


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The present state of a deployment.

    Attributes:
        place: the source of the overview: a URL or a storage root.
        slices: the status of each running slice; if none runs, one entry with what would run.
        gone: the slices that no longer report.
        problems: what is wrong under the storage root: a damaged history, or reports of slices
            that cannot be read.
    """

    place: str
    slices: list[Status]
    gone: list[GoneSlice] = []
    problems: list[str] = []


def overview(
    settings: Settings,
    model: str,
    *,
    place: str,
    ask: Callable[[], list[Status]],
    url: str | None = None,
) -> Overview:
    """Return the overview of a model's deployment, or of the one slice at another URL.

    A slice that runs alone is asked directly. Of several slices only one would answer at their
    URL, so their last reports in the storage root are used, at most ``GNOMON_FOLLOW_SECONDS`` old.

    Args:
        settings: have the storage root.
        model: the deployment's model name.
        place: where ``ask`` asks, to be shown.
        ask: asks the answering slice for its status.
        url: the URL that ``ask`` uses, if the user gave one. A URL that is not in the storage root
            belongs to another deployment.
    """
    reports = heartbeats.find(Storage(settings), model)
    if url is not None and all(beat.url != url for beat in reports.beats):
        return Overview(place=place, slices=ask())
    history, damage = read_history(settings, model)
    several = sum(not beat.is_stale() for beat in reports.beats) > 1
    return Overview(
        place=place,
        slices=reported(settings, model) if several else ask(),
        gone=[_gone(beat, history.state) for beat in reports.beats if beat.is_stale()],
        problems=[str(e) for e in (damage, *reports.unreadable.values()) if e is not None],
    )


def reported(settings: Settings, model: str) -> list[Status]:
    """Return the last report of each running slice; if none runs, what a server would run."""
    history, damage = read_history(settings, model)
    beats = heartbeats.read(Storage(settings), model)
    running = [beat for beat in beats if not beat.is_stale()]
    view = ProposalView(Storage(settings))
    view.refresh(history.state)
    proposals = view.of(history.state)
    if running:
        return [_status(beat, history, proposals) for beat in running]
    return [_at_rest(model, history, damage, proposals)]


def _status(beat: Heartbeat, history: History, proposals: tuple[ProposalStatus, ...]) -> Status:
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
        noise_floor=_noise_floor(beat, history.state),
        accounts=msgspec.convert(beat.accounts, RowAccounts),
        automation=msgspec.convert(beat.automation, AutomationStatus),
        excuses=history.state.active_excuses,
        proposals=proposals,
        error=beat.error,
        warnings=beat.warnings,
    )


def _noise_floor(beat: Heartbeat, state: RolloutState) -> ShadowStatus | None:
    run = state.noise_run
    if run is None or beat.noise_floor is None or beat.live != run.artifact:
        return None
    shadow = Shadow(
        artifact=run.artifact, digest=None, fraction=beat.noise_floor, since=run.since, at=run.at
    )
    return noise_floor_status(shadow, beat.shadow(run.artifact))


def _at_rest(
    model: str,
    history: History,
    damage: GnomonError | None,
    proposals: tuple[ProposalStatus, ...],
) -> Status:
    """Return what a server would run if one were started."""
    if damage is not None:  # A server would not start: decisions after the damage are unknown.
        return Status(model=model, ready=False, error=str(damage))
    state = history.state
    return Status(
        model=model,
        ready=False,
        epoch=state.epoch,
        live=_live(state.live, history),
        previous=state.previous,
        shadows=tuple(
            structs.replace(shadow_status(shadow, None), state="not running")
            for shadow in state.shadows.values()
        ),
        excuses=state.active_excuses,
        proposals=proposals,
        error="no server is running",
    )


def _live(tag: str | None, history: History, latency: Latency | None = None) -> LiveStatus | None:
    if tag is None:
        return None
    decided = [e for e in history.events if e.artifact == tag and e.kind in ("promote", "rollback")]
    return LiveStatus(
        artifact=tag,
        digest=decided[-1].digest if decided else None,
        since=decided[-1].at if decided else None,
        latency_ms=latency,
    )


def _gone(beat: Heartbeat, state: RolloutState) -> GoneSlice:
    waiting = {
        shadow.artifact: shadow.lagging
        for shadow in beat.shadows
        if shadow.lagging
        and (running := state.shadows.get(shadow.artifact)) is not None
        and running.since == shadow.epoch
    }
    return GoneSlice(slice=beat.slice, host=beat.host, since=beat.updated, waiting=waiting)
