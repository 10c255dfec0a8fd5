"""The last report of each slice: one small file per slice under the storage root."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from gnomon.errors import UnreadableFile
from gnomon.formats import Format, decode
from gnomon.shadow.shadow_counts import Latency, ShadowReport
from gnomon.storage import Storage

__all__ = [
    "FORMAT",
    "Heartbeat",
    "Heartbeats",
    "Recorded",
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
"""A slice reports every ``follow_seconds``, half a second by default; this silent, it is gone."""


class ShadowBeat(ShadowReport, frozen=True, kw_only=True, omit_defaults=True):
    """One shadow of one slice. Counts are rows since the shadow was started there.

    Attributes:
        artifact: its tag.
        epoch: the rollout epoch it was started in.
        pid: its feed process; None between two lives.
        state: ``starting``, ``running`` or ``failing``.
        position: as in :class:`~gnomon.shadow.feed.progress.Progress`.
    """

    artifact: str
    epoch: int
    pid: int | None = None
    state: str = "running"
    position: str | None = None


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """How far the rollout history had come: the number of decisions, and the last one's hash."""

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
        url: where the deployment is called, if the settings say.
        epoch: the last rollout decision it has carried out.
        recorded: the last decision it knows of; see :mod:`gnomon.rollout.integrity`.
        live: the artifact whose answers its clients get.
        previous: the artifact it keeps warm for a rollback.
        latency_ms: the live worker's time per batch; None before the first.
        shadows: the shadows it runs.
        books: rows by outcome since it started.
        error: why it is not ready, or cannot follow the rollout.
        ended: whether it ended in good order, while rows waited for a shadow.
    """

    format: int = FORMAT
    model: str
    slice: str
    host: str
    pid: int
    started: datetime
    updated: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    url: str | None = None
    epoch: int = 0
    recorded: Recorded | None = None
    live: str | None = None
    previous: str | None = None
    latency_ms: Latency | None = None
    shadows: tuple[ShadowBeat, ...] = ()
    books: dict[str, Any] = {}
    error: str | None = None
    ended: bool = False

    def is_stale(self, now: datetime | None = None) -> bool:
        """Whether it says nothing of the present: its slice has ended, or was silent for long."""
        if self.ended:
            return True
        age = (now or datetime.now(UTC)) - self.updated
        return age > timedelta(seconds=STALE_SECONDS)

    def shadow(self, artifact: str) -> ShadowBeat | None:
        """What it says of one shadow; None if it runs no such."""
        return next((beat for beat in self.shadows if beat.artifact == artifact), None)


def write(storage: Storage, beat: Heartbeat) -> None:
    """Replace what this slice said before."""
    storage.write(_name(beat.model, beat.slice), msgspec.json.encode(beat))


def end(storage: Storage, beat: Heartbeat) -> None:
    """Leave in good order: forgotten, unless rows of the slice wait for a shadow."""
    if any(shadow.lagging for shadow in beat.shadows):
        write(storage, msgspec.structs.replace(beat, ended=True))
    else:
        remove(storage, beat.model, beat.slice)


class Heartbeats(NamedTuple):
    """What slices said: each heartbeat in the order of their names, and files that cannot be read.

    Attributes:
        beats: those that can be read, stale or not.
        unreadable: by slice, why its file cannot be read; that slice may well be running.
    """

    beats: list[Heartbeat]
    unreadable: dict[str, UnreadableFile]


def find(storage: Storage, model: str) -> Heartbeats:
    """What every slice of a model last said. An unreadable file hides none of the others."""
    found = Heartbeats([], {})
    for name in storage.names(f"slices/{model}"):
        content = storage.read(name)
        if content is None:
            continue  # It ended in the meantime.
        try:
            found.beats.append(decode(content, Heartbeat, _KIND, name))
        except UnreadableFile as error:
            found.unreadable[name.rpartition("/")[2].removesuffix(".json")] = error
    return found


def read(storage: Storage, model: str) -> list[Heartbeat]:
    """The heartbeats that can be read, for those to whom the others do not matter."""
    return find(storage, model).beats


def remove(storage: Storage, model: str, slice_name: str) -> None:
    """Forget a slice that nobody waits for."""
    storage.remove(_name(model, slice_name))


def _name(model: str, slice_name: str) -> str:
    return f"slices/{model}/{slice_name}.json"
