"""The state of a rollout: what its events add up to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from gnomon.artifact.manifest import Combination
from gnomon.errors import RolloutError
from gnomon.rollout.evidence.excuse import RecordedExcuse
from gnomon.rollout.history.event import RolloutEvent
from gnomon.rollout.history.noise_run import NoiseRun, noise_run_after
from gnomon.rollout.proposal import ProposedPromotion
from gnomon.rollout.watch_window import Watch

__all__ = ["RolloutState", "Shadow", "fold"]


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """A shadow that should be running: its sample, and the epoch it was started in.

    A reverse shadow is the artifact that live replaced; it ends with the watch window. One with
    ``same`` was started as the shadow of itself, to measure the noise floor (A/A). One with a
    ``combination`` is the model of one artifact on the preprocessing of another, for debugging.
    """

    artifact: str
    digest: str | None
    fraction: float
    since: int
    at: datetime
    entity_key: tuple[str, ...] = ()
    reverse: bool = False
    same: bool = False
    combination: Combination | None = None

    @property
    def is_candidate(self) -> bool:
        """Whether it was started to replace the live artifact."""
        return not (self.reverse or self.same or self.combination is not None)


class RolloutState(msgspec.Struct, frozen=True, kw_only=True):
    """The state after all events so far.

    Attributes:
        epoch: the number of events, which is also the number of the next event.
        lives: the artifacts that were live, the live one last. A rollback removes the last one.
        live_since: the epoch in which the live artifact became live, this time.
        live_at: the time of that; None while nothing is live.
        shadows: the running shadows by tag, in the order they were started.
        noise_run: the standing run of live against itself, which is not among ``shadows``; None
            while no other shadow runs, or one of live itself was started.
        tried: the candidates for the place of the present live artifact, one tag for each run,
            stopped ones included: an artifact that is stopped and started has had two chances.
        tried_before: the same of each artifact in ``lives`` but the last, as it was when it was
            replaced; a rollback to it continues there.
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
    live_since: int = 0
    live_at: datetime | None = None
    shadows: dict[str, Shadow] = {}
    noise_run: NoiseRun | None = None
    tried: tuple[str, ...] = ()
    tried_before: tuple[tuple[str, ...], ...] = ()
    watch: Watch | None = None
    distrusted: tuple[str, ...] = ()
    proposals: dict[str, ProposedPromotion] = {}
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
    def compared(self) -> tuple[str, ...]:
        """The tags of the running shadows, without live itself: its differences are noise."""
        return tuple(tag for tag in self.shadows if tag != self.live)

    @property
    def judged(self) -> tuple[Shadow, ...]:
        """The shadows that may replace live; see :attr:`Shadow.is_candidate`."""
        return tuple(shadow for shadow in self.shadows.values() if shadow.is_candidate)

    @property
    def active_excuses(self) -> tuple[RecordedExcuse, ...]:
        """The excuses that have an effect now."""
        return tuple(excuse for excuse in self.excuses if excuse.is_active())

    @property
    def artifacts(self) -> frozenset[str]:
        """Every artifact whose answers, as live or as a shadow, it still knows of."""
        earlier = (tag for tags in self.tried_before for tag in tags)
        return frozenset((*self.lives, *self.shadows, *self.tried, *earlier, *self.distrusted))

    @property
    def candidates(self) -> int:
        """How many runs of candidates share the allowed error of the gates."""
        return len(self.tried)

    def candidates_with(self, artifact: str) -> int:
        """Return the same with an artifact that is judged, if it is not among them.

        A reverse shadow is not, until somebody wants to promote it.
        """
        return self.candidates + (artifact not in self.tried)

    def live_for(self, tag: str) -> str:
        """Return the live artifact, against which another is to be judged.

        Raises:
            RolloutError: the other one is live itself, or nothing is.
        """
        if self.live is None:
            raise RolloutError("there is no live artifact to judge another against")
        if tag == self.live:
            raise RolloutError(
                f"`{tag}` is live already, so there is nothing to judge it against",
                hint="`gnomon status` shows its shadows and, in a watch window, what would undo "
                "its promotion",
            )
        return self.live

    def after_new(self, event: RolloutEvent) -> RolloutState:
        """Return the state after a decision that is taken now.

        It is checked by rules too that recorded events need not meet, which earlier releases had
        not yet.

        Raises:
            RolloutError: the event does not follow from this state, or may not be decided.
        """
        after = self.after(event)
        if event.kind == "shadow_start" and event.same and event.artifact != self.live:
            raise RolloutError(
                f"`{event.artifact}` is not live: `{self.live}` is, and only the live artifact is "
                "run as its own shadow",
                hint="leave out --same (over HTTP: same: true) to judge it as a candidate",
            )
        return after

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
                same=event.same or event.artifact == self.live,
                combination=event.combination,
            )
        elif event.kind not in ("propose", "withdraw", "excuse", "excuse_end"):
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
        tried, tried_before = _tried(self, event, shadows)
        return RolloutState(
            epoch=self.epoch + 1,
            lives=lives,
            live_since=self.live_since if is_same_live else self.epoch + 1,
            live_at=self.live_at if is_same_live else event.at,
            shadows=shadows,
            noise_run=_noise_run(self, event, lives, shadows),
            tried=tried,
            tried_before=tried_before,
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


def _tried(
    state: RolloutState, event: RolloutEvent, shadows: Mapping[str, Shadow]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the candidates that were tried against each live artifact, after an event."""
    running = tuple(tag for tag, shadow in shadows.items() if shadow.is_candidate)
    if event.kind == "promote":
        before = (*state.tried_before, state.tried) if state.lives else ()
        return running, before
    if event.kind == "rollback":
        earlier = state.tried_before[-1]
        others = (tag for tag in running if tag not in earlier)
        return (*earlier, *others), state.tried_before[:-1]
    if event.kind == "shadow_start" and shadows[event.artifact].is_candidate:
        return (*state.tried, event.artifact), state.tried_before
    return state.tried, state.tried_before


def _noise_run(
    state: RolloutState,
    event: RolloutEvent,
    lives: tuple[str, ...],
    shadows: Mapping[str, Shadow],
) -> NoiseRun | None:
    """Return the standing run of live against itself after an event."""
    live = lives[-1] if lives else None
    judged = any(shadow.is_candidate or shadow.reverse for shadow in shadows.values())
    judges = judged and live not in shadows
    return noise_run_after(state.noise_run, live, judges=judges, epoch=state.epoch + 1, at=event.at)


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


def _proposals(state: RolloutState, event: RolloutEvent) -> dict[str, ProposedPromotion]:
    """Return the proposed promotions after an event; they are judged against one live artifact."""
    if event.kind in ("promote", "rollback"):
        return {}
    if event.kind == "withdraw":
        return {tag: each for tag, each in state.proposals.items() if each.number != event.ends}
    if event.kind != "propose":
        return state.proposals
    proposal = ProposedPromotion(
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
    if event.kind == "withdraw" and event.ends not in {p.number for p in state.proposals.values()}:
        raise RolloutError(
            f"there is no proposal number {event.ends}",
            hint=f"proposed: {', '.join(state.proposals) or 'nothing'}",
        )
    if event.kind == "shadow_stop" and tag not in state.shadows:
        running = "running: " + (", ".join(state.shadows) or "none")
        if state.noise_run is not None and tag == state.noise_run.artifact:
            running += (
                "; the run of live against itself ends with the last of them, and "
                "`noise_floor = 0` in the policy's [sampling] turns it off"
            )
        raise RolloutError(f"`{tag}` is not a running shadow", hint=running)


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
