"""The rollout history: numbered events under the storage root that are the state *and* its audit.

``rollout/<model>/000000.json`` is the first event. An event is created only if nobody has created
that number, so of two decisions taken on the same state exactly one is recorded, and the state
after event *n* is the same for everyone for ever. ``epoch`` is the number of events folded in.

Each event holds the SHA-256 of the one before, of its exact bytes. A history that is not whole is
refused with the name of the file: see :mod:`gnomon.rollout.integrity`.
"""

from __future__ import annotations

import contextlib
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from gnomon.errors import (
    GnomonError,
    HistoryDamaged,
    RolloutConflict,
    RolloutError,
    StorageError,
    UnreadableFile,
)
from gnomon.formats import Format, decode
from gnomon.rollout import integrity
from gnomon.rollout.integrity import HistoryEnd, Witness
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = [
    "FORMAT",
    "Event",
    "History",
    "Kind",
    "RolloutState",
    "Shadow",
    "fold",
    "open_history",
    "read_history",
]

FORMAT = 2
"""2 added ``previous_sha256``. Events of format 1 may come before those of format 2, not after."""

_KIND = Format("rollout event", FORMAT, damaged=HistoryDamaged)

Kind = Literal["promote", "rollback", "shadow_start", "shadow_stop"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One decision. Keys this version does not know are ignored; see ``docs/formats.md``.

    Attributes:
        format: the version of this file's format.
        kind: what was decided.
        artifact: the tag it was decided about; for a rollback, the artifact rolled back to.
        digest: that artifact's manifest hash.
        fraction: of the requests a started shadow sees.
        entity_key: what they are sampled by.
        same: a shadow that is the live artifact itself, to measure the noise floor (A/A).
        at: when.
        by: who, as far as known.
        why: the reason they gave.
        forced: it was done although gates did not pass or were not evaluated, or the contract is
            incompatible.
        gates: each gate's verdict and evidence at that time.
        changes: how a shadow's contract differs from the live one, as
            :class:`gnomon.contract.difference.Change` has it.
        previous_sha256: the hash of the event before; None for the first one. ``append`` sets it.
    """

    format: int = FORMAT
    kind: Kind
    artifact: str
    digest: str | None = None
    fraction: float = 1.0
    entity_key: tuple[str, ...] = ()
    same: bool = False
    at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    by: str | None = None
    why: str | None = None
    forced: bool = False
    gates: tuple[dict[str, object], ...] = ()
    changes: tuple[dict[str, object], ...] = ()
    previous_sha256: str | None = None


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """A shadow that should be running: its sample, and the epoch it was started in."""

    artifact: str
    digest: str | None
    fraction: float
    since: int
    at: datetime
    entity_key: tuple[str, ...] = ()


class RolloutState(msgspec.Struct, frozen=True, kw_only=True):
    """What the events so far add up to.

    Attributes:
        epoch: how many events; also the number the next event gets.
        lives: the artifacts that were live, the live one last. A rollback takes one off.
        shadows: by tag, in the order they were started.
    """

    epoch: int = 0
    lives: tuple[str, ...] = ()
    shadows: dict[str, Shadow] = {}

    @property
    def live(self) -> str | None:
        """The artifact that answers."""
        return self.lives[-1] if self.lives else None

    @property
    def previous(self) -> str | None:
        """The artifact a rollback goes back to."""
        return self.lives[-2] if len(self.lives) > 1 else None

    def after(self, event: Event) -> RolloutState:
        """The state with one event more.

        Raises:
            RolloutError: the event does not follow from this state.
        """
        _check(self, event)
        lives, shadows = self.lives, dict(self.shadows)
        if event.kind == "shadow_start":
            shadows[event.artifact] = Shadow(
                artifact=event.artifact,
                digest=event.digest,
                fraction=event.fraction,
                since=self.epoch + 1,
                at=event.at,
                entity_key=event.entity_key,
            )
        else:
            # Whatever becomes live stops being a shadow.
            shadows.pop(event.artifact, None)
        if event.kind == "promote":
            lives = (*lives, event.artifact)
        elif event.kind == "rollback":
            lives = lives[:-1]
        return RolloutState(epoch=self.epoch + 1, lives=lives, shadows=shadows)


def fold(events: list[Event]) -> RolloutState:
    """The state all ``events``, oldest first, add up to.

    Raises:
        RolloutError: an event does not follow from those before it.
    """
    state = RolloutState()
    for event in events:
        state = state.after(event)
    return state


def open_history(settings: Settings, model: str) -> History:
    """The history of a model under the storage root, held to what the spool here says of it."""
    spool = settings.local_spool
    return History(Storage(settings), model, None if spool is None else spool / model)


class History:
    """One model's events and the state they add up to, as of the last :meth:`refresh`.

    Args:
        storage: where they are.
        model: the model.
        spool: the model's segments, if they are on this machine.

    Attributes:
        model: the model.
        events: those read, oldest first. After an error: those before the damage.
        state: what they add up to.
        known: the furthest end that is recorded anywhere; beyond ``events`` if some are missing.
    """

    def __init__(self, storage: Storage, model: str, spool: Path | None = None) -> None:
        self.model = model
        self.events: list[Event] = []
        self.state = RolloutState()
        self.known = HistoryEnd(epoch=0)
        self._storage = storage
        self._spool = spool
        self._digests: list[str] = []
        self._is_whole = False

    def copy(self) -> History:
        """Another that goes on from here by itself; what was read is not read again."""
        other = History(self._storage, self.model, self._spool)
        other.state = self.state
        other.events = self.events[: other.state.epoch]  # Another thread may be adding to them.
        other._digests = self._digests[: other.state.epoch]
        other.known, other._is_whole = self.known, self._is_whole
        return other

    def refresh(self) -> bool:
        """Read events recorded since the last time; whether there were any.

        One small read where there is none, so it can be called twice a second for ever. The first
        time the whole history is checked, as by :meth:`check`.

        Raises:
            HistoryDamaged: an event is missing, cannot be read or does not follow.
            NewerFormat: a newer version of Gnomon recorded an event.
        """
        before = self.state.epoch
        if self._is_whole:
            self._read_on()
        else:
            self.check()
        return self.state.epoch > before

    def check(self) -> None:
        """Read on, and compare what is there with what was read and with what others recorded.

        A listing and a few small reads, and of a local root every event: for now and then.

        Raises:
            HistoryDamaged: an event is missing or was changed, at the end too.
            NewerFormat: a newer version of Gnomon recorded an event.
        """
        self._is_whole, known = False, self.state.epoch
        found, unreadable = self._witnesses()  # Before the events: see there.
        heads = [self._head(), *(witness.head for witness in found)]
        self.known = max([self.known, *heads], key=lambda head: head.epoch)
        names = self._storage.names(integrity.folder_of(self.model))
        self._check_read(self._last())
        self._read_on()
        integrity.check_names(self.model, names, known, self.state.epoch)
        integrity.check_witnesses(self.model, self._digests, found)
        if self._storage.is_local:
            self._check_read(range(known))
        if unreadable is not None:
            raise unreadable
        self._is_whole = True

    def append(self, event: Event) -> RolloutState:
        """Record a decision taken on :attr:`state`; it is on disk when this returns.

        Raises:
            RolloutError: it does not follow from that state; nothing is recorded.
            HistoryDamaged: the event before is not what it was; nothing is recorded.
            RolloutConflict: another decision was recorded since the last refresh.
            StorageError: the storage root refuses; the next refresh shows whether it was recorded.
        """
        after = self.state.after(event)
        self._check_read(self._last())
        event = msgspec.structs.replace(event, format=FORMAT, previous_sha256=self._last_digest())
        content = msgspec.json.format(msgspec.json.encode(event), indent=2) + b"\n"
        if not self._storage.create(self._name(), content):
            raise RolloutConflict(
                f"another rollout decision for `{self.model}` was recorded first",
                where=self._name(),
                hint="look at the history, then decide again",
            )
        self._add(event, content, after)
        self.record_end()
        return after

    def record_end(self) -> None:
        """Write down elsewhere how far the history has come, so that a lost end is noticed.

        The decision itself is recorded; this is no reason to say that it was not.
        """
        with contextlib.suppress(StorageError, OSError):
            integrity.record(self._storage, self.model, self._head(), self._spool)

    def _witnesses(self) -> tuple[list[Witness], UnreadableFile | None]:
        """What is recorded of the end, or why that cannot be read; the events still can."""
        try:
            return integrity.witnesses(self._storage, self.model, self._spool), None
        except UnreadableFile as error:
            return [], error

    def _read_on(self) -> None:
        while (content := self._storage.read(self._name())) is not None:
            event = decode(content, Event, _KIND, self._name())
            integrity.check_link(
                self.model,
                self.state.epoch,
                event.previous_sha256,
                self._last_digest(),
                hashed=any(e.format > 1 for e in (*self.events[-1:], event)),
            )
            self._add(event, content, self._after(event))

    def _after(self, event: Event) -> RolloutState:
        """The state with an event that was read."""
        try:
            return self.state.after(event)
        except RolloutError as error:
            raise integrity.damaged(
                f"this event does not follow from those before it: {error.message}",
                self._name(),
                self.model,
            ) from None

    def _last(self) -> range:
        """The number of the last event, if one was read."""
        return range(self.state.epoch - 1, self.state.epoch) if self._digests else range(0)

    def _check_read(self, numbers: range) -> None:
        """Refuse to go on after an event that is gone or is not what it was when it was read."""
        for number in numbers:
            name = integrity.event_name(self.model, number)
            content = self._storage.read(name)
            if content is None or _digest(content) != self._digests[number - self.state.epoch]:
                is_gone = "is missing" if content is None else "was changed or replaced"
                raise integrity.damaged(
                    f"{name.rpartition('/')[2]} {is_gone} since it was read", name, self.model
                )

    def _add(self, event: Event, content: bytes, after: RolloutState) -> None:
        self.events.append(event)
        self._digests.append(_digest(content))
        self.state = after
        if after.epoch >= self.known.epoch:
            self.known = self._head()

    def _head(self) -> HistoryEnd:
        return HistoryEnd(epoch=self.state.epoch, sha256=self._last_digest())

    def _last_digest(self) -> str | None:
        return self._digests[-1] if self._digests else None

    def _name(self) -> str:
        return integrity.event_name(self.model, self.state.epoch)


def read_history(settings: Settings, model: str) -> tuple[History, GnomonError | None]:
    """A model's history as far as it can be read, and what is wrong with it."""
    history = open_history(settings, model)
    try:
        history.refresh()
    except (HistoryDamaged, UnreadableFile) as error:
        return history, error
    return history, None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check(state: RolloutState, event: Event) -> None:
    tag, live = event.artifact, state.live
    if event.kind == "promote" and tag == live:
        raise RolloutError(f"`{tag}` is live already")
    if event.kind == "rollback":
        if state.previous is None:
            raise RolloutError("there is no previous artifact to roll back to")
        if tag != state.previous:
            raise RolloutError(f"a rollback goes to `{state.previous}`, not to `{tag}`")
    if event.kind == "shadow_start":
        _check_start(state, event)
    if event.kind == "shadow_stop" and tag not in state.shadows:
        raise RolloutError(
            f"`{tag}` is not a running shadow",
            hint="running: " + (", ".join(state.shadows) or "none"),
        )


def _check_start(state: RolloutState, event: Event) -> None:
    if state.live is None:
        raise RolloutError(
            "there is no live artifact to compare a shadow with", hint="promote one first"
        )
    if event.artifact == state.live and not event.same:
        raise RolloutError(
            f"`{event.artifact}` is live; its shadow would only agree with itself",
            hint="to measure the noise floor that way, add --same (over HTTP: same: true)",
        )
    if event.artifact in state.shadows:
        raise RolloutError(
            f"`{event.artifact}` is a running shadow already",
            hint="stop it first to change its fraction",
        )
    if not 0 < event.fraction <= 1:
        raise RolloutError(f"expected a fraction above 0 and up to 1, got {event.fraction}")
