"""The totals over all slices of a deployment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from msgspec import structs

from gnomon.service.status.automation_status import AutomationStatus
from gnomon.service.status.slice_status import LiveStatus, RowAccounts, ShadowStatus, Status
from gnomon.shadow.shadow_counts import Latency, added, beside_each

__all__ = ["total"]

WORST_FIRST = ("failing", "starting", "not running", "running")


def total(slices: Sequence[Status]) -> Status:
    """Combine the statuses of at least one slice: the sums of counts, the worst time and state."""
    lives = [status.live for status in slices if status.live is not None]
    return structs.replace(
        slices[0],
        slice=None,
        ready=all(status.ready for status in slices),
        started=min((status.started for status in slices if status.started), default=None),
        epoch=min(status.epoch for status in slices),
        live=_live(lives) if lives else None,
        shadows=_shadows(slices),
        noise_floor=_noise_floor(slices),
        accounts=_accounts([status.accounts for status in slices]),
        automation=_automation([s.automation for s in slices if s.automation is not None]),
        error="; ".join(_errors(slices)) or None,
        warnings=tuple(dict.fromkeys(note for status in slices for note in status.warnings)),
    )


def _live(lives: Sequence[LiveStatus]) -> LiveStatus:
    """Return the live artifact of the first slice, with the slowest time of those that have it."""
    times = (live.latency_ms for live in lives if live.artifact == lives[0].artifact)
    return structs.replace(lives[0], latency_ms=_slowest(times))


def _shadows(slices: Sequence[Status]) -> tuple[ShadowStatus, ...]:
    by_tag: dict[str, list[ShadowStatus]] = {}
    for status in slices:
        for shadow in status.shadows:
            by_tag.setdefault(shadow.artifact, []).append(shadow)
    return tuple(_shadow(statuses) for statuses in by_tag.values())


def _noise_floor(slices: Sequence[Status]) -> ShadowStatus | None:
    """Return the noise floor of the artifact that the first slice measures."""
    floors = [status.noise_floor for status in slices if status.noise_floor is not None]
    of_one = [floor for floor in floors if floor.artifact == floors[0].artifact]
    return _shadow(of_one) if of_one else None


def _shadow(statuses: Sequence[ShadowStatus]) -> ShadowStatus:
    return structs.replace(
        added(statuses),
        against=beside_each(status.against for status in statuses),
        state=min((status.state for status in statuses), key=WORST_FIRST.index),
        behind_seconds=max(status.behind_seconds for status in statuses),
        latency_ms=_slowest(status.latency_ms for status in statuses),
        error="; ".join(dict.fromkeys(status.error for status in statuses if status.error)) or None,
    )


def _accounts(accounts: Sequence[RowAccounts]) -> RowAccounts:
    return structs.replace(
        added(accounts),
        reasons=_summed(account.reasons for account in accounts),
        outside=_summed(account.outside for account in accounts),
        unknown=_summed(account.unknown for account in accounts),
    )


def _automation(parts: Sequence[AutomationStatus]) -> AutomationStatus | None:
    """Return the automation of the slice that evaluated gates last; only one does at a time."""
    long_ago = datetime.min.replace(tzinfo=UTC)
    return max(parts, key=lambda part: part.checked or long_ago, default=None)


def _summed(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part)
    return dict(counts)


def _slowest(times: Iterable[Latency | None]) -> Latency | None:
    known = [time for time in times if time is not None]
    return max(known, key=lambda time: time.p99, default=None)


def _errors(slices: Sequence[Status]) -> Iterator[str]:
    if len(slices) == 1:
        yield from filter(None, [slices[0].error])
        return
    yield from (f"{status.slice}: {status.error}" for status in slices if status.error)
    lives = {status.slice: status.live.artifact for status in slices if status.live is not None}
    if len(set(lives.values())) > 1:
        artifacts = ", ".join(f"{name} {tag}" for name, tag in lives.items())
        yield f"the slices do not serve the same artifact: {artifacts}"
