"""The rollout history: numbered events under the storage root that are the state *and* its audit.

``rollout/<model>/000000.json`` is the first event. An event is created only if nobody has created
that number, so of two decisions taken on the same state exactly one is recorded, and the state
after event *n* is the same for everyone for ever. ``epoch`` is the number of events folded in.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec

from gnomon.errors import RolloutConflict, RolloutError
from gnomon.shadow.storage import Storage

__all__ = ["FORMAT", "Event", "History", "Kind", "RolloutState", "Shadow", "fold"]

FORMAT = 1

Kind = Literal["promote", "rollback", "shadow_start", "shadow_stop"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One decision. Keys this version does not know are left alone; see ``docs/formats.md``.

    Attributes:
        format: the version of this file's format.
        kind: what was decided.
        artifact: the tag it was decided about; for a rollback, the artifact rolled back to.
        digest: that artifact's manifest hash.
        fraction: of the requests a started shadow sees.
        entity_key: what they are sampled by.
        same: a shadow of the very artifact that is live, to measure the noise floor (A/A).
        at: when.
        by: who, as far as known.
        why: the reason they gave.
        forced: the gates did not hold, were not asked, or the contract is incompatible, and it was
            done nevertheless.
        gates: each gate's verdict and evidence at that moment.
        changes: how a shadow's contract differs from the live one, as
            :class:`gnomon.preprocessing.difference.Change` has it.
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


class History:
    """One model's events and the state they add up to, as of the last :meth:`refresh`."""

    def __init__(self, storage: Storage, model: str) -> None:
        self.model = model
        self.events: list[Event] = []
        self.state = RolloutState()
        self._storage = storage

    def copy(self) -> History:
        """Another that goes on from here by itself; what was read is not read again."""
        other = History(self._storage, self.model)
        other.state = self.state
        other.events = self.events[: other.state.epoch]  # Another thread may be adding to them.
        return other

    def refresh(self) -> bool:
        """Read events recorded since the last time; whether there were any.

        One small read where there is none, so it can be called twice a second for ever.

        Raises:
            RolloutError: an event that cannot be read or does not follow.
        """
        before = self.state.epoch
        while (content := self._storage.read(self._name())) is not None:
            event = self._decode(content)
            self._add(event, self.state.after(event))
        return self.state.epoch > before

    def append(self, event: Event) -> RolloutState:
        """Record a decision taken on :attr:`state`.

        Raises:
            RolloutError: it does not follow from that state; nothing is recorded.
            RolloutConflict: another decision was recorded since the last refresh.
        """
        after = self.state.after(event)
        content = msgspec.json.format(msgspec.json.encode(event), indent=2) + b"\n"
        if not self._storage.create(self._name(), content):
            raise RolloutConflict(
                f"another rollout decision for `{self.model}` was recorded first",
                where=self._name(),
                hint="look at the history, then decide again",
            )
        self._add(event, after)
        return after

    def _add(self, event: Event, after: RolloutState) -> None:
        self.events.append(event)
        self.state = after

    def _name(self) -> str:
        return f"rollout/{self.model}/{self.state.epoch:06d}.json"

    def _decode(self, content: bytes) -> Event:
        try:
            format_ = msgspec.json.decode(content, type=_Format).format
            if format_ > FORMAT:
                raise RolloutError(
                    f"this event has format {format_}; this version of gnomon reads up to {FORMAT}",
                    where=self._name(),
                    hint="upgrade gnomon here to the version that wrote it",
                )
            return msgspec.json.decode(content, type=Event)
        except msgspec.DecodeError as error:
            raise RolloutError(f"not a rollout event: {error}", where=self._name()) from None


class _Format(msgspec.Struct):
    format: int


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
            f"`{tag}` is no running shadow",
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
            hint="to measure the noise floor that way, say so: same",
        )
    if event.artifact in state.shadows:
        raise RolloutError(
            f"`{event.artifact}` is a running shadow already",
            hint="stop it first to change its fraction",
        )
    if not 0 < event.fraction <= 1:
        raise RolloutError(f"expected a fraction above 0 and up to 1, got {event.fraction}")
