"""Check the decisions in a bundle: their chain, their order, and what the gates said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TypeGuard

from gnomon.artifact.manifest import sha256
from gnomon.audit.audit_report import AuditCheck
from gnomon.audit.bundle import Bundle, event_file
from gnomon.errors import HistoryDamaged, RolloutError
from gnomon.printable import printable
from gnomon.quantities import plural
from gnomon.rollout.actor import AUTOMATIC, proves_person
from gnomon.rollout.history import RolloutEvent, RolloutState, decode_event
from gnomon.rollout.history.integrity import check_link

__all__ = [
    "check_actors",
    "check_decisions",
    "check_extends",
    "check_gates",
    "check_history",
    "read_events",
]

_NEEDS_OR_MAKES_LIVE = ("promote", "rollback", "shadow_start", "shadow_stop")
"""Kinds of decisions after which an artifact is live."""
_AT_LEAST = ("rows", "hours", "coverage")
"""The gates whose limit is the least value that passes; of all others it is the largest."""


def read_events(bundle: Bundle) -> list[RolloutEvent]:
    """Return the events of a bundle, oldest first.

    Raises:
        HistoryDamaged: one is missing or not an event, or there are others.
        NewerFormat: a newer version of Gnomon recorded one.
    """
    index = bundle.index
    found = {name for name in bundle.files if name.startswith("events/")}
    if index.epoch - index.first != len(found):
        raise HistoryDamaged(
            f"it has {plural(len(found), 'event')}; its index says {index.epoch - index.first:,}"
        )
    names = [event_file(number) for number in range(index.first, index.epoch)]
    if strange := sorted(found.difference(names)):
        raise HistoryDamaged(f"{strange[0]} is not one of the events that its index says")
    try:
        return [decode_event(bundle.files[name], name) for name in names]
    except RecursionError:
        raise HistoryDamaged("an event is nested too deeply") from None


def check_history(bundle: Bundle, events: Sequence[RolloutEvent]) -> AuditCheck:
    """Check that each event contains the hash of the one before, up to the last in the index."""
    index = bundle.index
    digests = [sha256(bundle.files[event_file(n)]) for n in range(index.first, index.epoch)]
    earlier: RolloutEvent | None = None
    for place, event in enumerate(events):
        number = index.first + place
        actual = digests[place - 1] if place else event.previous_sha256 if number else None
        hashed = event.format > 1 or (earlier is not None and earlier.format > 1)
        try:
            check_link(index.model, number, event.previous_sha256, actual, hashed)
        except HistoryDamaged as error:
            return AuditCheck(name="history", verdict="failed", says=error.message)
        earlier = event
    if (digests[-1] if digests else None) != index.sha256:
        says = "the last event is not the one that the index names"
        return AuditCheck(name="history", verdict="failed", says=says)
    unhashed = sum(event.format == 1 for event in events[:-1])
    if unhashed:
        says = f"{plural(unhashed, 'event')} of format 1 have no hash in the event after them"
        return AuditCheck(name="history", verdict="not_proven", says=says)
    return AuditCheck(name="history", verdict="proven", says=_chain(bundle))


def _chain(bundle: Bundle) -> str:
    index = bundle.index
    says = f"{plural(len(range(index.first, index.epoch)), 'decision')}, each with the hash of the "
    says += "one before: none was changed, removed, added or moved since it was recorded"
    if index.first:
        says += f"; the {index.first:,} before them are not in the bundle"
    if index.epoch < index.history_epoch:
        says += f"; nor are the {index.history_epoch - index.epoch:,} after them"
    return says


def check_decisions(bundle: Bundle, events: Sequence[RolloutEvent]) -> AuditCheck:
    """Check that each decision follows from the state before it, and is about this model."""
    for place, event in enumerate(events):
        if event.artifact.partition(":")[0] != bundle.index.model:
            says = f"{event.artifact} is not an artifact of {bundle.index.model}"
            return AuditCheck(name="decisions", verdict="failed", says=says)
        if not _approves_a_proposal(event, events[:place], bundle.index.first):
            says = f"{event_file(bundle.index.first + place)} approves #{event.approves}, which is "
            says += f"no earlier proposal of {event.artifact}"
            return AuditCheck(name="decisions", verdict="failed", says=says)
    if bundle.index.first:
        says = "the bundle does not begin with the first decision, so the state before is not known"
        return AuditCheck(name="decisions", verdict="not_proven", says=says)
    state = RolloutState()
    for number, event in enumerate(events):
        try:
            state = state.after(event)
        except RolloutError as error:
            says = f"{event_file(number)} does not follow from those before it: {error.message}"
            return AuditCheck(name="decisions", verdict="failed", says=says)
    says = f"each follows from those before it; live at the end: {state.live or 'nothing'}"
    if any(later.at < earlier.at for earlier, later in pairwise(events)):
        says += "; some have an earlier time than the one before: clocks of machines differ"
    return AuditCheck(name="decisions", verdict="proven", says=says)


def _approves_a_proposal(event: RolloutEvent, earlier: Sequence[RolloutEvent], first: int) -> bool:
    """Whether what a promotion approves was proposed, as far as the bundle has it."""
    if event.approves is None or 0 < event.approves <= first:
        return True
    place = event.approves - first - 1
    if not 0 <= place < len(earlier):
        return False
    return (earlier[place].kind, earlier[place].artifact) == ("propose", event.artifact)


def check_gates(bundle: Bundle, events: Sequence[RolloutEvent]) -> AuditCheck:
    """Check that promotions passed their gates, say that they were forced, or are the first."""
    promoted = [e for e in events if e.kind == "promote"]
    for event in promoted:
        unmet = [str(gate.get("name")) for gate in event.gates if gate.get("verdict") != "pass"]
        if unmet and not event.forced:
            says = f"{event.artifact} was promoted with unmet gates ({', '.join(unmet)}), and the "
            says += "decision does not say that it was forced"
            return AuditCheck(name="gates", verdict="failed", says=says)
        if beyond := [gate for gate in event.gates if _passed_beyond_its_limit(gate)]:
            gate = beyond[0]
            says = f"the gate {printable(str(gate.get('name')))} of {event.artifact} is said to "
            says += f"have passed with {gate.get('value')}, and its limit is {gate.get('limit')}"
            return AuditCheck(name="gates", verdict="failed", says=says)
    ungated = [n for n, e in enumerate(events) if _is_ungated(e)]
    for place in ungated:
        if any(earlier.kind in _NEEDS_OR_MAKES_LIVE for earlier in events[:place]):
            says = f"{events[place].artifact} was promoted without gates over a live artifact, and "
            says += "the decision does not say that it was forced"
            return AuditCheck(name="gates", verdict="failed", says=says)
    forced = sum(event.forced for event in promoted)
    passed = len(promoted) - forced - len(ungated)
    says = (
        f"{plural(len(promoted), 'promotion')}: {passed:,} passed all gates, {forced:,} forced, "
        f"{len(ungated):,} without gates (a model's first artifact has none); their evidence is in "
        "the events"
    )
    if ungated and bundle.index.first:
        says += f"; whether an artifact was live before {events[ungated[0]].artifact} is not known,"
        says += " because the bundle does not begin with the first decision"
        return AuditCheck(name="gates", verdict="not_proven", says=says)
    return AuditCheck(name="gates", verdict="proven", says=says)


def _passed_beyond_its_limit(gate: Mapping[str, object]) -> bool:
    value, limit = gate.get("value"), gate.get("limit")
    if gate.get("verdict") != "pass" or not _is_number(value) or not _is_number(limit):
        return False
    return value < limit if gate.get("name") in _AT_LEAST else value > limit


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float)


def _is_ungated(event: RolloutEvent) -> bool:
    return event.kind == "promote" and not event.gates and not event.forced


def check_actors(events: Sequence[RolloutEvent]) -> AuditCheck:
    """Say how many decisions were taken by somebody who was authenticated."""
    people = sum(proves_person(event.authenticated) for event in events)
    servers = sum(event.authenticated == AUTOMATIC for event in events)
    says = (
        f"{people:,} of {plural(len(events), 'decision')} by somebody with a token of their own or "
        f"an account of a trusted proxy, {servers:,} by a server by its policy"
    )
    if people + servers == len(events):
        return AuditCheck(name="actors", verdict="proven", says=says)
    says += "; the others have the name that the caller gave"
    return AuditCheck(name="actors", verdict="not_proven", says=says)


def check_extends(bundle: Bundle, earlier: Bundle) -> AuditCheck:
    """Check that a bundle has every decision of an earlier one, unchanged, or goes on after it."""
    if (model := earlier.index.model) != bundle.index.model:
        says = f"the earlier bundle is about {model}"
        return AuditCheck(name="extends", verdict="failed", says=says)
    numbers = range(max(earlier.index.first, bundle.index.first), earlier.index.epoch)
    if wrong := [n for n in numbers if _event(bundle.files, n) != _event(earlier.files, n)]:
        says = f"{event_file(wrong[0])} is missing, or not the one of the earlier bundle: the "
        says += "history was rewritten, or one of the two bundles is of another storage root"
        return AuditCheck(name="extends", verdict="failed", says=says)
    if not numbers:
        return _check_adjoining(bundle, earlier)
    says = f"it has {plural(len(numbers), 'decision')} of the earlier bundle, unchanged"
    return AuditCheck(name="extends", verdict="proven", says=says)


def _check_adjoining(bundle: Bundle, earlier: Bundle) -> AuditCheck:
    """Check that a bundle without a decision in common goes on right after an earlier one."""
    first, epoch = bundle.index.first, earlier.index.epoch
    if first != epoch:
        says = f"the earlier bundle ends with decision {epoch:,}, and this one begins with "
        says += f"{first + 1:,}: those between are in neither"
        return AuditCheck(name="extends", verdict="not_proven", says=says)
    last, previous = _event(earlier.files, epoch - 1), _first_link(bundle)
    if last is None or previous is None:
        says = "the earlier bundle has no decision"
        if last is not None:
            says = "its first decision has no hash of the last one of the earlier bundle"
        return AuditCheck(name="extends", verdict="not_proven", says=says)
    if previous != sha256(last):
        says = "its first decision does not have the hash of the last one of the earlier bundle: "
        says += "the history was rewritten, or one of the two bundles is of another storage root"
        return AuditCheck(name="extends", verdict="failed", says=says)
    says = "its first decision has the hash of the last one of the earlier bundle"
    return AuditCheck(name="extends", verdict="proven", says=says)


def _first_link(bundle: Bundle) -> str | None:
    try:
        events = read_events(bundle)
    except HistoryDamaged:
        return None  # The check of the history says so.
    return events[0].previous_sha256 if events else None


def _event(files: Mapping[str, bytes], number: int) -> bytes | None:
    return files.get(event_file(number))
