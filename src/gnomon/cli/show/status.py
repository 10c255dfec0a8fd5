"""Format the status: what is live, what is in shadow, and the accounts, for any terminal width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.markup import escape

from gnomon.artifact.manifest import Combination
from gnomon.cli.console import ago, local, share
from gnomon.cli.show.automation import automation_lines
from gnomon.quantities import rows
from gnomon.rollout.actor import signature
from gnomon.rollout.evidence.excuse import RecordedExcuse
from gnomon.service.status.deployment_overview import GoneSlice, Overview
from gnomon.service.status.proposal_status import ProposalStatus
from gnomon.service.status.slice_status import LiveStatus, RowAccounts, ShadowStatus, Status
from gnomon.service.status.totals import total
from gnomon.shadow.shadow_counts import CountsBeside, Latency

__all__ = ["show_status"]

MOST_NAMES = 5
"""The most reasons, features and fields that are shown; ``--json`` and ``/metrics`` have all."""


def show_status(overview: Overview) -> str:
    """Return console markup for a deployment: the total, each slice, then slices that are gone."""
    lines = [*_lines(overview)]
    if len(overview.slices) > 1:
        lines += _listed("slices", (_slice(status) for status in overview.slices))
    warnings = total(overview.slices).warnings
    lines += _listed("warning", (f"[yellow]{escape(warning)}[/]" for warning in warnings))
    lines += _listed("gone", (_gone(gone) for gone in overview.gone))
    lines += _listed("problem", (f"[red]{escape(problem)}[/]" for problem in overview.problems))
    return "\n".join(lines)


def _lines(overview: Overview) -> Iterator[str]:
    status = total(overview.slices)
    yield _head(overview.place, status, overview.slices)
    if status.started is not None:  # Without a server the rows in the log are not counted here.
        yield _accounts(status.accounts)
    yield from _figures(_largest_counts("not answered", status.accounts.reasons))
    yield from _figures(
        _largest_counts("values that training did not see", status.accounts.outside)
    )
    yield from _figures(
        _largest_counts("fields that the contract does not know", status.accounts.unknown)
    )
    if status.live is None:
        yield "no artifact is live yet"
    else:
        yield from _live(status.live)
    for shadow in status.shadows:
        live = None if status.live is None else status.live.artifact
        yield from _shadow(shadow, live, status.excuses)
    for proposal in status.proposals:
        yield _proposed(proposal)
    if status.noise_floor is not None:
        yield from _noise_floor(status.noise_floor)
    if status.automation is not None:
        yield from automation_lines(status.automation)
    if status.previous is not None:
        yield f"[dim]previous[/]  {escape(status.previous)}"


def _head(place: str, status: Status, slices: Sequence[Status]) -> str:
    name = f"[bold]{escape(status.model)}[/] at {escape(place)}"
    if len(slices) > 1:
        name += f", {len(slices)} slices"
    elif slices[0].slice is not None:
        name += f", slice {escape(slices[0].slice)}"
    if status.started is not None:
        name += f", up for {ago(status.started)}"
    state = "[green]ready[/]" if status.ready else "[yellow]not ready[/]"
    reason = f": {escape(status.error)}" if status.error else ""
    return f"{name}, {state}{reason}"


def _listed(title: str, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"[dim]{title:8}[/]  {line}"
        title = ""


def _slice(status: Status) -> str:
    state = "ready" if status.ready else "[yellow]not ready[/]"
    up = f", up for {ago(status.started)}" if status.started else ""
    behind = "".join(
        f", {escape(shadow.artifact)} {shadow.lagging:,} behind"
        for shadow in status.shadows
        if shadow.lagging
    )
    received = f"{rows(status.accounts.received)} received"
    return f"{escape(status.slice or '?')}  {state}{up}, epoch {status.epoch}, {received}{behind}"


def _gone(gone: GoneSlice) -> str:
    waiting = "".join(
        f", {rows(n)} {'waits' if n == 1 else 'wait'} for {escape(tag)}"
        for tag, n in gone.waiting.items()
    )
    when = f"for {ago(gone.since)}, since {local(gone.since)}"
    return f"[red]{escape(gone.slice)}[/] on {escape(gone.host)}  {when}{waiting}"


def _accounts(books: RowAccounts) -> str:
    counts = {
        "answered": books.answered,
        "rejected": books.rejected,
        "failed": books.failed,
        "timed out": books.timed_out,
        "shed": books.shed,
        "in flight": books.in_flight,
    }
    outcomes = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return f"{rows(books.received)} received" + (f": {outcomes}" if outcomes else "")


def _largest_counts(what: str, counts: Mapping[str, int]) -> str:
    """Write the largest counts, each with its name; nothing if there are none."""
    if not counts:
        return ""
    largest = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    names = ", ".join(f"{escape(name.replace(':', ' '))} {n:,}" for name, n in largest[:MOST_NAMES])
    more = len(largest) - MOST_NAMES
    return f"{what}: {names}" + (f" and {more:,} more" if more > 0 else "")


def _live(live: LiveStatus) -> Iterator[str]:
    yield f"[dim]live    [/]  [bold]{escape(live.artifact)}[/]"
    yield from _figures(f"for {ago(live.since)}" if live.since else "", _takes(live.latency_ms))


def _shadow(
    shadow: ShadowStatus, live: str | None, excuses: Iterable[RecordedExcuse] = ()
) -> Iterator[str]:
    colour = {"running": "green", "failing": "red"}.get(shadow.state, "yellow")
    traffic = f"sees {shadow.fraction:.3g} of the traffic" if shadow.fraction < 1 else ""
    yield f"[dim]shadow  [/]  [bold]{escape(shadow.artifact)}[/]  [{colour}]{shadow.state}[/]"
    yield from _figures(
        f"for {ago(shadow.since)}" if shadow.since else "",
        traffic,
        "is live itself (A/A): its differences are noise" if shadow.artifact == live else "",
        "was live before (reverse shadow)" if shadow.reverse else "",
        _combined(shadow.combination),
        _takes(shadow.latency_ms),
    )
    if shadow.eligible:
        failed = f"[red]{shadow.failed:,} failed[/]" if shadow.failed else "none failed"
        scored = f"{shadow.scored:,} of {rows(shadow.eligible)} scored"
        yield from _figures(scored, failed, _behind(shadow))
    yield from _figures(_beside(shadow, live))
    if shadow.compared:
        disagree = "disagrees" if shadow.compared == 1 else "disagree"
        yield from _figures(
            f"{share(shadow.disagreement)} of {rows(shadow.compared)} {disagree} with live",
            "" if shadow.flips is None else f"{share(shadow.flips)} flip the decision",
        )
    for excuse in excuses:
        if excuse.artifact == shadow.artifact:
            yield from _figures(f"excused (number {excuse.number}): {escape(str(excuse))}")
    for gate in shadow.open_gates:
        yield from _figures(f"[yellow]?[/] {escape(gate.gate)}: {escape(gate.says)}")
    counted = min((g.counted for g in shadow.open_gates if g.counted is not None), default=None)
    if counted is not None:  # They are evaluated every few seconds, on what slices reported.
        yield from _figures(
            f"[dim]those with ? are by what servers reported at {local(counted)}[/]"
        )
    if shadow.error:
        yield from _figures(f"[red]{escape(shadow.error)}[/]")


def _proposed(proposal: ProposalStatus) -> str:
    who = signature(proposal.by or "somebody", proposal.authenticated, proposal.on_behalf_of)
    forced = ", [red]whatever its gates say[/]" if proposal.forced else ""
    text = f"{escape(proposal.artifact)}{forced}, by {escape(who)} at {local(proposal.at)}"
    until = local(proposal.until)
    if proposal.state == "expired":
        return f"[dim]proposed[/]  {text}; expired at {until}: propose it again"
    if proposal.void is not None:
        return f"[red]proposed[/]  {text}; nobody can approve it: {escape(proposal.void)}"
    return f"[yellow]proposed[/]  {text}; another person may approve it until {until}"


def _beside(shadow: ShadowStatus, live: str | None) -> str:
    """Write how many rows were scored beside the live artifact, if others were live before it."""
    here = shadow.against.get(live or "", CountsBeside()).scored
    if live is None or not shadow.against or here == shadow.scored:
        return ""
    return f"{here:,} of them beside {escape(live)}, which is live now: the gates count only these"


def _noise_floor(floor: ShadowStatus) -> Iterator[str]:
    """Show how far live disagrees with itself on the rows that it scores twice."""
    colour = {"running": "green", "failing": "red"}.get(floor.state, "yellow")
    twice = f"live scores {floor.fraction:.3g} of the traffic twice"
    yield f"[dim]noise   [/]  {twice}  [{colour}]{floor.state}[/]"
    if floor.eligible:
        failed = f"[red]{floor.failed:,} failed[/]" if floor.failed else "none failed"
        scored = f"{floor.scored:,} of {rows(floor.eligible)} scored"
        yield from _figures(scored, failed, _behind(floor))
    if floor.compared:
        yield from _figures(
            f"noise floor {share(floor.disagreement)} of {rows(floor.compared)}",
            "" if floor.flips is None else f"{share(floor.flips)} flip the decision",
        )
    if floor.error:
        yield from _figures(f"[red]{escape(floor.error)}[/]")


def _combined(combination: Combination | None) -> str:
    if combination is None:
        return ""
    model, preprocessing = combination.model.tag, combination.preprocessing.tag
    return f"the model of {escape(model)} with the preprocessing of {escape(preprocessing)}"


def _behind(shadow: ShadowStatus) -> str:
    """Write the lag in rows and, if it is at least a second, in seconds."""
    seconds = f" by {shadow.behind_seconds:,.0f} s" if shadow.behind_seconds >= 1 else ""
    return f"{shadow.lagging:,} behind{seconds}"


def _takes(latency: Latency | None) -> str:
    if latency is None:
        return ""
    return f"time per batch: p50 {latency.p50:.1f} ms, p99 {latency.p99:.1f} ms"


def _figures(*parts: str) -> Iterator[str]:
    text = ", ".join(part for part in parts if part)
    if text:
        yield f"          {text}"
