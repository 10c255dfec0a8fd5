"""What ``gnomon status`` shows: every slice of a deployment, those that are gone too."""

from __future__ import annotations

import contextlib
from datetime import datetime

import msgspec

from gnomon.cli.at_root import AtRoot, read_history
from gnomon.cli.deployment import find_model
from gnomon.cli.target import Target, find_target
from gnomon.errors import SettingsError
from gnomon.rollout.history import RolloutState
from gnomon.service.status import Status
from gnomon.settings import Settings
from gnomon.shadow import slices
from gnomon.shadow.slices import Found, Heartbeat
from gnomon.storage import Storage

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
        problems: what is wrong under the storage root: a damaged history, reports of slices that
            cannot be read.
    """

    place: str
    slices: list[Status]
    gone: list[Gone] = []
    problems: list[str] = []


def find_overview(url: str | None, token: str | None, model: str | None) -> Overview:
    """The deployment under the storage root, or the one slice that answers at another ``url``.

    A slice that runs alone is asked itself. Several are taken from what they last said in the
    storage root, at most ``GNOMON_FOLLOW_SECONDS`` ago: behind one URL one of them answers.

    Raises:
        SettingsError: there is no such server, and nothing under the storage root.
    """
    target = find_target(url, token, model=model)
    settings = Settings.read()
    with contextlib.suppress(SettingsError):
        name = model or find_model(settings)
        found = slices.find(Storage(settings), name)
        if url is None or any(beat.url == url for beat in found.beats):
            return _of_root(target, settings, name, found)
    return Overview(place=target.place, slices=target.status())


def _of_root(target: Target, settings: Settings, model: str, found: Found) -> Overview:
    history, damage = read_history(settings, model)
    several = sum(not beat.is_stale() for beat in found.beats) > 1
    return Overview(
        place=target.place,
        slices=AtRoot(settings, model).status() if several else target.status(),
        gone=[_gone(beat, history.state) for beat in found.beats if beat.is_stale()],
        problems=[str(e) for e in (damage, *found.unreadable.values()) if e is not None],
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
