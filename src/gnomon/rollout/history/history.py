"""The rollout history: numbered events under the storage root, both the state and its audit trail.

``rollout/<model>/000000.json`` is the first event. An event is created only if its number does not
exist yet, so of two decisions taken on the same state exactly one is recorded, and the state after
event *n* is the same for all readers and never changes. ``epoch`` is the number of events so far.

Each event contains the SHA-256 of the previous event's exact bytes. An incomplete history is
refused with the name of the file: see :mod:`gnomon.rollout.history.integrity`.
"""

from __future__ import annotations

import contextlib
import hashlib
from datetime import UTC
from pathlib import Path

import msgspec

from gnomon.errors import (
    GnomonError,
    HistoryDamaged,
    RolloutConflict,
    RolloutError,
    StorageError,
    UnreadableFile,
)
from gnomon.rollout.history import integrity
from gnomon.rollout.history.event import FORMAT, RolloutEvent, decode_event, summary
from gnomon.rollout.history.integrity import HistoryEnd, RecordedEnd
from gnomon.rollout.history.state import RolloutState
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = ["History", "newest_history", "open_history", "read_history", "up_to_date"]


def open_history(settings: Settings, model: str) -> History:
    """Open the history of a model under the storage root, to be checked with the local spool."""
    spool = settings.local_spool
    return History(Storage(settings), model, None if spool is None else spool / model)


def up_to_date(history: History | None, settings: Settings, model: str) -> History:
    """Return a history after a check, to decide on: the one read so far, or a new one.

    Raises:
        HistoryDamaged, NewerFormat: see :meth:`History.check`.
    """
    history = history or open_history(settings, model)
    history.check()
    return history


class History:
    """The events of one model and the resulting state, as of the last :meth:`refresh`.

    Args:
        storage: the storage with the events.
        model: the model.
        spool: the folder of the model's segments, if it is on this machine.

    Attributes:
        model: the model.
        events: the events read, oldest first. After an error: those before the damage.
        state: the state after these events.
        known: the latest end that is recorded anywhere; after ``events`` if some are missing.
    """

    def __init__(self, storage: Storage, model: str, spool: Path | None = None) -> None:
        self.model = model
        self.events: list[RolloutEvent] = []
        self.state = RolloutState()
        self.known = HistoryEnd(epoch=0)
        self._storage = storage
        self._spool = spool
        self._digests: list[str] = []
        self._is_whole = False

    def copy(self) -> History:
        """Return an independent copy, without reading the events again."""
        other = History(self._storage, self.model, self._spool)
        other.state = self.state
        other.events = self.events[: other.state.epoch]  # Another thread may be appending to them.
        other._digests = self._digests[: other.state.epoch]
        other.known, other._is_whole = self.known, self._is_whole
        return other

    def refresh(self) -> bool:
        """Read events recorded since the last time, and return whether there were any.

        Without new events it is one small read, so it can be called twice a second. The first call
        checks the entire history, as :meth:`check` does.

        Raises:
            HistoryDamaged: an event is missing, cannot be read or is not valid.
            NewerFormat: a newer version of Gnomon recorded an event.
        """
        before = self.state.epoch
        if self._is_whole:
            self._read_on()
        else:
            self.check()
        return self.state.epoch > before

    def check(self) -> None:
        """Read new events, and check all events against those read before and the recorded ends.

        It needs a listing and a few small reads and, with a local root, a read of every event, so
        call it only from time to time.

        Raises:
            HistoryDamaged: an event is missing or was changed, also at the end.
            NewerFormat: a newer version of Gnomon recorded an event.
        """
        self._is_whole, known = False, self.state.epoch
        recorded_ends, unreadable = self._recorded_ends()  # To be read before the events.
        heads = [self._head(), *(recorded_end.head for recorded_end in recorded_ends)]
        self.known = max([self.known, *heads], key=lambda head: head.epoch)
        names = self._storage.names(integrity.folder_of(self.model))
        self._check_read(self._last())
        self._read_on()
        integrity.check_names(self.model, names, known, self.state.epoch)
        integrity.check_recorded_ends(self.model, self._digests, recorded_ends)
        if self._storage.is_local:
            self._check_read(range(known))
        if unreadable is not None:
            raise unreadable
        self._is_whole = True

    def append(self, event: RolloutEvent) -> RolloutEvent:
        """Record a decision taken on :attr:`state`, and return it as it is on disk.

        Raises:
            RolloutError: it is not valid in that state; nothing is recorded.
            HistoryDamaged: the previous event was changed; nothing is recorded.
            RolloutConflict: another decision was recorded since the last refresh.
            StorageError: the write failed; the next refresh shows whether it was recorded.
        """
        after = self.state.after_new(event)
        self._check_read(self._last())
        event = msgspec.structs.replace(event, format=FORMAT, previous_sha256=self._last_digest())
        content = msgspec.json.format(msgspec.json.encode(event), indent=2) + b"\n"
        if not self._storage.create(self._name(), content):
            winner = self._storage.read(self._name())
            if winner != content:  # Equal if the first reply to this write was lost: it won.
                raise self._conflict(winner)
        self._add(event, content, after)
        self.record_end()
        return event

    def record_end(self) -> None:
        """Record the end of the history in other places, so that a lost end is noticed.

        Errors are ignored, because the decision itself is already recorded.
        """
        with contextlib.suppress(StorageError, OSError):
            integrity.record(self._storage, self.model, self._head(), self._spool)

    def _conflict(self, winner: bytes | None) -> RolloutConflict:
        """Return the error that says which decision was recorded first, if it can be read."""
        first = f"another rollout decision for `{self.model}` was recorded first"
        with contextlib.suppress(GnomonError):
            event = decode_event(winner or b"", self._name())
            first += f": {summary(event)} at {event.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return RolloutConflict(
            first, where=self._name(), hint="look at the history, then decide again"
        )

    def _recorded_ends(self) -> tuple[list[RecordedEnd], UnreadableFile | None]:
        """Read the recorded ends, or return the error; the events can still be read."""
        try:
            return integrity.recorded_ends(self._storage, self.model, self._spool), None
        except UnreadableFile as error:
            return [], error

    def _read_on(self) -> None:
        while (content := self._storage.read(self._name())) is not None:
            event = decode_event(content, self._name())
            integrity.check_link(
                self.model,
                self.state.epoch,
                event.previous_sha256,
                self._last_digest(),
                hashed=any(e.format > 1 for e in (*self.events[-1:], event)),
            )
            self._add(event, content, self._after(event))

    def _after(self, event: RolloutEvent) -> RolloutState:
        """Return the state after an event that was read."""
        try:
            return self.state.after(event)
        except RolloutError as error:
            raise integrity.damaged(
                f"this event does not follow from those before it: {error.message}",
                self._name(),
                self.model,
            ) from None

    def _last(self) -> range:
        """Return a range with the number of the last event, empty if none was read."""
        return range(self.state.epoch - 1, self.state.epoch) if self._digests else range(0)

    def _check_read(self, numbers: range) -> None:
        """Raise an error if an event is missing or was changed since it was read."""
        for number in numbers:
            name = integrity.event_name(self.model, number)
            content = self._storage.read(name)
            if content is None or _digest(content) != self._digests[number - self.state.epoch]:
                damage = "is missing" if content is None else "was changed or replaced"
                raise integrity.damaged(
                    f"{name.rpartition('/')[2]} {damage} since it was read", name, self.model
                )

    def _add(self, event: RolloutEvent, content: bytes, after: RolloutState) -> None:
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


def newest_history(settings: Settings, model: str) -> History:
    """Read a model's history to its end, to look at.

    Raises:
        HistoryDamaged, NewerFormat, UnreadableFile: it cannot be read completely.
    """
    history = open_history(settings, model)
    history.refresh()
    return history


def read_history(settings: Settings, model: str) -> tuple[History, GnomonError | None]:
    """Read a model's history as far as possible, and return it with the error, if any."""
    history = open_history(settings, model)
    try:
        history.refresh()
    except (HistoryDamaged, UnreadableFile) as error:
        return history, error
    return history, None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
