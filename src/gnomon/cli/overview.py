"""What ``gnomon status`` shows: every slice of a deployment, those that are gone too."""

from __future__ import annotations

from datetime import datetime

import msgspec

from gnomon.cli.at_root import AtRoot
from gnomon.cli.target import find_model, find_target
from gnomon.service.status import Status
from gnomon.settings import Settings
from gnomon.shadow import slices
from gnomon.shadow.rollout.history import History, RolloutState
from gnomon.shadow.slices import Heartbeat
from gnomon.shadow.storage import Storage

__all__ = ["Gone", "Overview", "find_overview"]


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
    """

    place: str
    slices: list[Status]
    gone: list[Gone] = []


def find_overview(url: str | None, token: str | None, model: str | None) -> Overview:
    """The deployment under the storage root, or the one slice that answers at ``url``.

    A slice that runs alone is asked itself. Several are taken from what they last said in the
    storage root, at most ``GNOMON_FOLLOW_SECONDS`` ago: behind one URL one of them answers.

    Raises:
        SettingsError: there is no such server, and nothing under the storage root.
    """
    target = find_target(url, token, model=model)
    if url is not None:
        return Overview(place=url, slices=target.status())
    settings = Settings.read()
    name = model or find_model(settings)
    storage = Storage(settings)
    beats = slices.read(storage, name)
    history = History(storage, name)
    history.refresh()
    several = sum(not beat.is_stale() for beat in beats) > 1
    return Overview(
        place=target.place,
        slices=AtRoot(settings, name).status() if several else target.status(),
        gone=[_gone(beat, history.state) for beat in beats if beat.is_stale()],
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
