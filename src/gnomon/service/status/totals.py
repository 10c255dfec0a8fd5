"""The totals over all slices of a deployment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec import structs

from gnomon.service.status.slice_status import RowAccounts, ShadowStatus, Status
from gnomon.shadow.shadow_counts import Latency, added

__all__ = ["total"]

WORST_FIRST = ("failing", "starting", "not running", "running")


def total(slices: Sequence[Status]) -> Status:
    """Combine the statuses of at least one slice: the sums of counts, the worst time and state."""
    lives = [one.live for one in slices if one.live is not None]
    return structs.replace(
        slices[0],
        slice=None,
        ready=all(one.ready for one in slices),
        started=min((one.started for one in slices if one.started), default=None),
        epoch=min(one.epoch for one in slices),
        live=structs.replace(lives[0], latency_ms=_slowest(live.latency_ms for live in lives))
        if lives
        else None,
        shadows=_shadows(slices),
        accounts=_accounts([one.accounts for one in slices]),
        error="; ".join(_errors(slices)) or None,
    )


def _shadows(slices: Sequence[Status]) -> tuple[ShadowStatus, ...]:
    by_tag: dict[str, list[ShadowStatus]] = {}
    for one in slices:
        for shadow in one.shadows:
            by_tag.setdefault(shadow.artifact, []).append(shadow)
    return tuple(_shadow(statuses) for statuses in by_tag.values())


def _shadow(statuses: Sequence[ShadowStatus]) -> ShadowStatus:
    return structs.replace(
        added(statuses),
        state=min((one.state for one in statuses), key=WORST_FIRST.index),
        behind_seconds=max(one.behind_seconds for one in statuses),
        latency_ms=_slowest(one.latency_ms for one in statuses),
        error="; ".join(dict.fromkeys(one.error for one in statuses if one.error)) or None,
    )


def _accounts(books: Sequence[RowAccounts]) -> RowAccounts:
    return structs.replace(
        added(books),
        reasons=_summed(one.reasons for one in books),
        outside=_summed(one.outside for one in books),
        unknown=_summed(one.unknown for one in books),
    )


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
    yield from (f"{one.slice}: {one.error}" for one in slices if one.error)
    lives = {one.slice: one.live.artifact for one in slices if one.live is not None}
    if len(set(lives.values())) > 1:
        said = ", ".join(f"{name} {tag}" for name, tag in lives.items())
        yield f"the slices do not serve the same artifact: {said}"
