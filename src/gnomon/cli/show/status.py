"""What is live, what is in shadow, and the books, in lines that fit any terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.markup import escape

from gnomon.cli.console import ago, share
from gnomon.service.status import Books, Latency, Live, ShadowStatus, Status

__all__ = ["show_status"]


def show_status(place: str, slices: Sequence[Status]) -> str:
    """Console markup for the slices of one place."""
    return "\n\n".join("\n".join(_lines(place, status)) for status in slices)


def _lines(place: str, status: Status) -> Iterator[str]:
    yield _head(place, status)
    yield _books(status.books)
    if status.live is None:
        yield "no artifact is live yet"
    else:
        yield from _live(status.live)
    for shadow in status.shadows:
        itself = status.live is not None and status.live.artifact == shadow.artifact
        yield from _shadow(shadow, itself)
    if status.previous is not None:
        yield f"[dim]previous[/]  {escape(status.previous)}"


def _head(place: str, status: Status) -> str:
    name = f"[bold]{escape(status.model)}[/] at {escape(place)}"
    if status.slice is not None:
        name += f", slice {escape(status.slice)}"
    if status.started is not None:
        name += f", up for {ago(status.started)}"
    state = "[green]ready[/]" if status.ready else "[yellow]not ready[/]"
    reason = f": {escape(status.error)}" if status.error else ""
    return f"{name}, {state}{reason}"


def _books(books: Books) -> str:
    counts = {
        "answered": books.answered,
        "rejected": books.rejected,
        "failed": books.failed,
        "timed out": books.timed_out,
        "shed": books.shed,
        "in flight": books.in_flight,
    }
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return f"{books.received:,} rows received" + (f": {said}" if said else "")


def _live(live: Live) -> Iterator[str]:
    yield f"[dim]live    [/]  [bold]{escape(live.artifact)}[/]"
    yield from _figures(f"for {ago(live.since)}" if live.since else "", _takes(live.latency_ms))


def _shadow(shadow: ShadowStatus, itself: bool) -> Iterator[str]:
    colour = {"running": "green", "failing": "red"}.get(shadow.state, "yellow")
    share_seen = f"sees {shadow.fraction:.3g} of it" if shadow.fraction < 1 else ""
    yield f"[dim]shadow  [/]  [bold]{escape(shadow.artifact)}[/]  [{colour}]{shadow.state}[/]"
    yield from _figures(
        f"for {ago(shadow.since)}" if shadow.since else "",
        share_seen,
        "is live itself: what differs is noise" if itself else "",
        _takes(shadow.latency_ms),
    )
    if shadow.eligible:
        failed = f"[red]{shadow.failed:,} failed[/]" if shadow.failed else "none failed"
        scored = f"{shadow.scored:,} of {shadow.eligible:,} rows scored"
        yield from _figures(scored, failed, f"{shadow.lagging:,} behind")
    if shadow.compared:
        yield from _figures(
            f"{share(shadow.disagreement)} of {shadow.compared:,} rows disagree with live",
            f"{share(shadow.flips)} flip the decision",
        )
    if shadow.error:
        yield from _figures(f"[red]{escape(shadow.error)}[/]")


def _takes(latency: Latency | None) -> str:
    if latency is None:
        return ""
    return f"a batch takes {latency.p50:.1f} ms, 1 in 100 over {latency.p99:.1f} ms"


def _figures(*parts: str) -> Iterator[str]:
    said = ", ".join(part for part in parts if part)
    if said:
        yield f"          {said}"
