"""The last report of each slice: one small file per slice under the storage root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from gnomon.errors import UnreadableFile
from gnomon.formats import Format, decode
from gnomon.shadow.shadow_counts import Latency, ShadowReport
from gnomon.storage import Storage

__all__ = [
    "FORMAT",
    "NO_REPORTS",
    "Heartbeat",
    "Heartbeats",
    "RolloutPosition",
    "ShadowBeat",
    "end",
    "find",
    "read",
    "remove",
    "write",
]

FORMAT = 1

_KIND = Format(
    "heartbeat", FORMAT, hint="remove it if that slice is gone; a running one rewrites it"
)
STALE_SECONDS = 15.0
"""A slice without a report for this long is gone, if it reports every three seconds or more often;
by default it reports every half second."""
_MISSED_REPORTS = 5
"""A slice that reports less often is gone once it has missed this many reports."""


class ShadowBeat(ShadowReport, frozen=True, kw_only=True, omit_defaults=True):
    """One shadow of one slice. Counts are rows since the shadow was started there.

    Attributes:
        artifact: its tag.
        epoch: the rollout epoch it was started in.
        pid: its feed process; None between two processes.
        state: ``starting``, ``running`` or ``failing``.
        position: as in :class:`~gnomon.shadow.feed.progress.Progress`.
    """

    artifact: str
    epoch: int
    pid: int | None = None
    state: str = "running"
    position: str | None = None


class RolloutPosition(msgspec.Struct, frozen=True, kw_only=True):
    """How far a slice has read the rollout: the number of decisions, and the last one's hash."""

    epoch: int
    sha256: str | None = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """One slice at one time.

    Attributes:
        format: the version of this file's format.
        model: the deployment's model name.
        slice: the slice's name, unique among those that share a storage root.
        host: the machine.
        pid: its gateway process.
        started: when the gateway started.
        updated: when this was written.
        follow_seconds: how often it is written.
        url: the address of the deployment, if the settings have it.
        epoch: the last rollout decision it has carried out.
        recorded: the last decision it has read; see :mod:`gnomon.rollout.history.integrity`.
        live: the artifact whose answers its clients get.
        previous: the artifact it keeps warm for a rollback.
        latency_ms: the live worker's time per batch; None before the first.
        shadows: the shadows it runs, with live itself if it is scored twice.
        noise_floor: the share of the rows that live scores twice; None if it does not.
        accounts: rows by outcome since it started.
        automation: what it decides by itself, as
            :class:`gnomon.service.status.automation_status.AutomationStatus`.
        error: why it is not ready, or cannot follow the rollout.
        ended: whether it shut down properly, while rows still waited for a shadow.
        warnings: what its operator should know.
    """

    format: int = FORMAT
    model: str
    slice: str
    host: str
    pid: int
    started: datetime
    updated: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    follow_seconds: float = 0.5
    url: str | None = None
    epoch: int = 0
    recorded: RolloutPosition | None = None
    live: str | None = None
    previous: str | None = None
    latency_ms: Latency | None = None
    shadows: tuple[ShadowBeat, ...] = ()
    noise_floor: float | None = None
    accounts: dict[str, Any] = msgspec.field(default_factory=dict, name="books")
    automation: dict[str, Any] = {}
    error: str | None = None
    ended: bool = False
    warnings: tuple[str, ...] = ()

    def is_stale(self, now: datetime | None = None) -> bool:
        """Return whether it is out of date: its slice has ended, or has not reported for long."""
        if self.ended:
            return True
        age = (now or datetime.now(UTC)) - self.updated
        return age > timedelta(seconds=max(STALE_SECONDS, _MISSED_REPORTS * self.follow_seconds))

    def shadow(self, artifact: str) -> ShadowBeat | None:
        """Return the report on one shadow; None if the slice does not run it."""
        return next((beat for beat in self.shadows if beat.artifact == artifact), None)


def write(storage: Storage, beat: Heartbeat) -> None:
    """Write the report of a slice, replacing its last one."""
    storage.write(_name(beat.model, beat.slice), msgspec.json.encode(beat))


def end(storage: Storage, beat: Heartbeat) -> None:
    """Remove the report of a slice that shuts down; if rows wait for a shadow, mark it as ended."""
    if any(shadow.lagging for shadow in beat.shadows):
        write(storage, msgspec.structs.replace(beat, ended=True))
    else:
        remove(storage, beat.model, beat.slice)


class Heartbeats(NamedTuple):
    """The last reports of all slices, in the order of their names, and files that cannot be read.

    Attributes:
        beats: the heartbeats that can be read, stale or not.
        unreadable: by slice, why its file cannot be read; the slice itself may be running.
        read_at: when they were read; a report is as old as it was then. None: just now.
    """

    beats: Sequence[Heartbeat]
    unreadable: Mapping[str, UnreadableFile] = MappingProxyType({})
    read_at: datetime | None = None


NO_REPORTS = Heartbeats(())


def find(storage: Storage, model: str) -> Heartbeats:
    """Return the last report of every slice of a model. Unreadable files do not hide the others."""
    beats: list[Heartbeat] = []
    unreadable: dict[str, UnreadableFile] = {}
    read_at = datetime.now(UTC)
    for name in storage.names(f"slices/{model}"):
        content = storage.read(name)
        if content is None:
            continue  # The slice ended in the meantime.
        try:
            beats.append(decode(content, Heartbeat, _KIND, name))
        except UnreadableFile as error:
            unreadable[name.rpartition("/")[2].removesuffix(".json")] = error
    return Heartbeats(beats, unreadable, read_at)


def read(storage: Storage, model: str) -> Sequence[Heartbeat]:
    """Return only the heartbeats that can be read."""
    return find(storage, model).beats


def remove(storage: Storage, model: str, slice_name: str) -> None:
    """Remove the report of a slice."""
    storage.remove(_name(model, slice_name))


def _name(model: str, slice_name: str) -> str:
    return f"slices/{model}/{slice_name}.json"
