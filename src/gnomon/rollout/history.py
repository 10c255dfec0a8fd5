"""The rollout history: numbered events under the storage root, both the state and its audit trail.

``rollout/<model>/000000.json`` is the first event. An event is created only if its number does not
exist yet, so of two decisions taken on the same state exactly one is recorded, and the state after
event *n* is the same for all readers and never changes. ``epoch`` is the number of events so far.

Each event contains the SHA-256 of the previous event's exact bytes. An incomplete history is
refused with the name of the file: see :mod:`gnomon.rollout.integrity`.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
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
from gnomon.rollout.actor import signature
from gnomon.rollout.excuse import Excuse, RecordedExcuse
from gnomon.rollout.integrity import HistoryEnd, RecordedEnd
from gnomon.rollout.proposal import Proposal
from gnomon.rollout.watch_window import Watch, WatchWindow
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = [
    "FORMAT",
    "History",
    "Kind",
    "RolloutEvent",
    "RolloutState",
    "Shadow",
    "decode_event",
    "fold",
    "in_words",
    "open_history",
    "read_history",
]

FORMAT = 3
"""Format 2 added ``previous_sha256``; events of format 1 may only come before those of format 2.
Format 3 added what changes the state: ``watch`` of a promotion, and the kinds ``propose``,
``excuse`` and ``excuse_end``."""

_KIND = Format("rollout event", FORMAT, damaged=HistoryDamaged)

Kind = Literal[
    "promote", "rollback", "shadow_start", "shadow_stop", "propose", "excuse", "excuse_end"
]


class RolloutEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One decision. Keys that this version does not know are ignored; see ``docs/formats.md``.

    Attributes:
        format: the version of this file's format.
        kind: the kind of decision.
        artifact: the tag it is about; for a rollback, the artifact rolled back to.
        digest: that artifact's manifest hash.
        fraction: the share of the requests that a started shadow scores.
        entity_key: the features by which they are sampled.
        same: whether the shadow is the live artifact itself, to measure the noise floor (A/A).
        at: when it was decided.
        by: who decided, if known.
        authenticated: how that is known; see :class:`gnomon.rollout.actor.Actor`. None: an event
            of an earlier release, or one that nobody signed.
        on_behalf_of: for whom they decided, as they say.
        why: the reason they gave.
        forced: whether it was done although gates did not pass or were not evaluated, or the
            contract is incompatible.
        gates: each gate's verdict and evidence at that time.
        changes: how a shadow's contract differs from the live one, each as a
            :class:`gnomon.contract.difference.Change`.
        automatic: whether a server decided it by the policy's ``[rollout]`` table, not a person.
        watch: of a promotion that is watched: until when, by which gates, and the shadow that the
            replaced artifact becomes by this same event.
        approves: of a promotion that another person proposed: the number of that event, from 1.
        excuse: of an excuse: what it covers.
        ends: of the end of an excuse: its number.
        evidence: what the gates were evaluated on, as a
            :class:`gnomon.rollout.evidence_range.EvidenceRange`.
        policy_sha256: of the policy that decided, kept as ``policies/<sha256>.json``.
        contract_sha256: of the artifact's contract.
        code_sha256: of the artifact's vendored code; see :mod:`gnomon.rollout.provenance`.
        previous_sha256: the hash of the previous event; None for the first one. ``append`` sets it.
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
    authenticated: str | None = None
    on_behalf_of: str | None = None
    why: str | None = None
    forced: bool = False
    gates: tuple[dict[str, object], ...] = ()
    changes: tuple[dict[str, object], ...] = ()
    automatic: bool = False
    watch: WatchWindow | None = None
    approves: int | None = None
    excuse: Excuse | None = None
    ends: int | None = None
    evidence: dict[str, object] | None = None
    policy_sha256: str | None = None
    contract_sha256: str | None = None
    code_sha256: str | None = None
    previous_sha256: str | None = None


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """A shadow that should be running: its sample, and the epoch it was started in.

    A reverse shadow is the artifact that live replaced; it ends with the watch window.
    """

    artifact: str
    digest: str | None
    fraction: float
    since: int
    at: datetime
    entity_key: tuple[str, ...] = ()
    reverse: bool = False


class RolloutState(msgspec.Struct, frozen=True, kw_only=True):
    """The state after all events so far.

    Attributes:
        epoch: the number of events, which is also the number of the next event.
        lives: the artifacts that were live, the live one last. A rollback removes the last one.
        shadows: the running shadows by tag, in the order they were started.
        tried: the artifacts that were shadows of the present live artifact, stopped ones included,
            reverse shadows not.
        watch: the watch window of the present live artifact, if its promotion has one. It stays
            after its end; the time says whether it is over.
        distrusted: the artifacts that were rolled back, or stopped as shadows by a server: only a
            person promotes them.
        proposals: the promotions that were proposed since the last one, by tag; they may be
            expired.
        excuses: those that were not ended; the time says which have expired.
    """

    epoch: int = 0
    lives: tuple[str, ...] = ()
    shadows: dict[str, Shadow] = {}
    tried: tuple[str, ...] = ()
    watch: Watch | None = None
    distrusted: tuple[str, ...] = ()
    proposals: dict[str, Proposal] = {}
    excuses: tuple[RecordedExcuse, ...] = ()

    @property
    def live(self) -> str | None:
        """The artifact that answers."""
        return self.lives[-1] if self.lives else None

    @property
    def previous(self) -> str | None:
        """The artifact to which a rollback returns."""
        return self.lives[-2] if len(self.lives) > 1 else None

    @property
    def candidates(self) -> int:
        """How many artifacts share the allowed error of the gates: those tried, but for live."""
        return len({*self.tried} - {self.live})

    def after(self, event: RolloutEvent) -> RolloutState:
        """Return the state after one more event.

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
        elif event.kind not in ("propose", "excuse", "excuse_end"):
            # An artifact that becomes live is no longer a shadow.
            shadows.pop(event.artifact, None)
        if event.kind == "promote":
            lives = (*lives, event.artifact)
        elif event.kind == "rollback":
            lives = lives[:-1]
        is_same_live = lives == self.lives
        if not is_same_live:
            shadows = {tag: shadow for tag, shadow in shadows.items() if not shadow.reverse}
            shadows |= _reverse_shadow(event, self.epoch + 1)
        candidates = (tag for tag, shadow in shadows.items() if not shadow.reverse)
        tried = tuple(dict.fromkeys((*(self.tried if is_same_live else ()), *candidates)))
        return RolloutState(
            epoch=self.epoch + 1,
            lives=lives,
            shadows=shadows,
            tried=tried,
            watch=_watch(self, event, shadows),
            distrusted=_distrusted(self, event),
            proposals=_proposals(self, event),
            excuses=_excuses(self, event),
        )


def fold(events: list[RolloutEvent]) -> RolloutState:
    """Compute the state after all ``events``, oldest first.

    Raises:
        RolloutError: an event is not valid in the state before it.
    """
    state = RolloutState()
    for event in events:
        state = state.after(event)
    return state


def open_history(settings: Settings, model: str) -> History:
    """Open the history of a model under the storage root, to be checked with the local spool."""
    spool = settings.local_spool
    return History(Storage(settings), model, None if spool is None else spool / model)


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

    def append(self, event: RolloutEvent) -> RolloutState:
        """Record a decision taken on :attr:`state`; it is on disk when this returns.

        Raises:
            RolloutError: it is not valid in that state; nothing is recorded.
            HistoryDamaged: the previous event was changed; nothing is recorded.
            RolloutConflict: another decision was recorded since the last refresh.
            StorageError: the write failed; the next refresh shows whether it was recorded.
        """
        after = self.state.after(event)
        self._check_read(self._last())
        event = msgspec.structs.replace(event, format=FORMAT, previous_sha256=self._last_digest())
        content = msgspec.json.format(msgspec.json.encode(event), indent=2) + b"\n"
        if not self._storage.create(self._name(), content):
            winner = self._storage.read(self._name())
            if winner != content:  # Equal if the first reply to this write was lost: it won.
                raise self._conflict(winner)
        self._add(event, content, after)
        self.record_end()
        return after

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
            first += f": {in_words(event)} at {event.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
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


def decode_event(content: bytes, where: str) -> RolloutEvent:
    """Return the event in a file; ``where`` is the file's name.

    Raises:
        HistoryDamaged: it is not an event.
        NewerFormat: a newer version of Gnomon recorded it.
    """
    return decode(content, RolloutEvent, _KIND, where)


def in_words(event: RolloutEvent) -> str:
    """Say in a few words what was decided and by whom: ``promote flights:two by ann``."""
    who = signature(event.by or "somebody", event.authenticated, event.on_behalf_of)
    return f"{event.kind.replace('_', ' ')} {event.artifact} by {who}"


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


def _reverse_shadow(event: RolloutEvent, epoch: int) -> dict[str, Shadow]:
    """Return the shadow that a promotion makes of the artifact it replaces, by its tag."""
    reverse = None if event.watch is None else event.watch.reverse_shadow
    if reverse is None:
        return {}
    shadow = Shadow(
        artifact=reverse.artifact,
        digest=reverse.digest,
        fraction=reverse.fraction,
        since=epoch,
        at=event.at,
        entity_key=reverse.entity_key,
        reverse=True,
    )
    return {reverse.artifact: shadow}


def _watch(state: RolloutState, event: RolloutEvent, shadows: Mapping[str, Shadow]) -> Watch | None:
    """Return the watch window after an event: only a promotion or a rollback begins or ends one."""
    if event.kind == "promote" and event.watch is not None and state.live is not None:
        return Watch(
            artifact=event.artifact,
            previous=state.live,
            since=state.epoch + 1,
            at=event.at,
            until=event.watch.until,
            gates=event.watch.gates,
            shadow=event.watch.reverse_shadow is not None,
        )
    if event.kind in ("promote", "rollback") or state.watch is None:
        return None
    reverse = shadows.get(state.watch.previous)
    return msgspec.structs.replace(state.watch, shadow=reverse is not None and reverse.reverse)


def _proposals(state: RolloutState, event: RolloutEvent) -> dict[str, Proposal]:
    """Return the proposed promotions after an event; they are judged against one live artifact."""
    if event.kind in ("promote", "rollback"):
        return {}
    if event.kind != "propose":
        return state.proposals
    proposal = Proposal(
        number=state.epoch + 1,
        artifact=event.artifact,
        digest=event.digest,
        forced=event.forced,
        by=event.by,
        authenticated=event.authenticated,
        on_behalf_of=event.on_behalf_of,
        at=event.at,
    )
    return {**state.proposals, event.artifact: proposal}


def _excuses(state: RolloutState, event: RolloutEvent) -> tuple[RecordedExcuse, ...]:
    """Return the excuses after an event."""
    if event.kind == "excuse_end":
        return tuple(excuse for excuse in state.excuses if excuse.number != event.ends)
    if event.excuse is None:
        return state.excuses
    recorded = RecordedExcuse(
        number=state.epoch + 1,
        artifact=event.artifact,
        excuse=event.excuse,
        at=event.at,
        by=event.by,
        why=event.why,
    )
    return (*state.excuses, recorded)


def _distrusted(state: RolloutState, event: RolloutEvent) -> tuple[str, ...]:
    """Return the artifacts that only a person may promote, after an event."""
    distrusted = dict.fromkeys(state.distrusted)
    if event.kind == "promote":
        distrusted.pop(event.artifact, None)
    elif event.kind == "rollback" and state.live is not None:
        distrusted[state.live] = None
    elif event.kind == "shadow_stop" and event.automatic and event.artifact in state.tried:
        distrusted[event.artifact] = None
    return tuple(distrusted)


def _check(state: RolloutState, event: RolloutEvent) -> None:
    tag, live = event.artifact, state.live
    if event.kind in ("promote", "propose") and tag == live:
        raise RolloutError(f"`{tag}` is live already")
    if event.kind == "rollback":
        if state.previous is None:
            raise RolloutError("there is no previous artifact to roll back to")
        if tag != state.previous:
            raise RolloutError(f"a rollback goes to `{state.previous}`, not to `{tag}`")
    if event.kind == "shadow_start":
        _check_start(state, event)
    if event.kind == "excuse" and event.excuse is None:
        raise RolloutError("an excuse must say what it covers")
    if event.kind == "excuse_end" and event.ends not in {e.number for e in state.excuses}:
        numbers = ", ".join(str(excuse.number) for excuse in state.excuses)
        raise RolloutError(
            f"there is no excuse number {event.ends}",
            hint=f"those that were not ended: {numbers or 'none'}",
        )
    if event.kind == "shadow_stop" and tag not in state.shadows:
        raise RolloutError(
            f"`{tag}` is not a running shadow",
            hint="running: " + (", ".join(state.shadows) or "none"),
        )


def _check_start(state: RolloutState, event: RolloutEvent) -> None:
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
