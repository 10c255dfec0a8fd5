"""``gnomon promote``: make an artifact live, if its gates pass."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import AsJson, Token, Url, Why
from gnomon.cli.ranges import TimeRange, parse_range
from gnomon.errors import GateUndecided

if TYPE_CHECKING:
    from gnomon.cli.rollout_target import RolloutTarget
    from gnomon.rollout.gate import Gates
    from gnomon.rollout.history import RolloutEvent

__all__ = ["command"]

ASK_AGAIN_SECONDS = 2.0


def command(
    artifact: Annotated[str, typer.Argument(metavar="TAG", help="The artifact to make live.")],
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Evaluate the gates and change nothing: at the server of --url, else here, "
            "on the log of the storage root. Exit code 1: not promotable yet.",
        ),
    ] = False,
    history: Annotated[
        TimeRange | None,
        typer.Option(
            "--on-history",
            parser=parse_range,
            metavar="START..END",
            help="With --check: replay it over the requests of this range, and evaluate its gates "
            "on them; it need not be a shadow. Either time may be left out: .. is all of the log.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Promote regardless of the gates; the history records that."),
    ] = False,
    seconds: Annotated[
        float,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            min=0,
            help="Retry for this long while no gate fails but evidence is still missing.",
        ),
    ] = 0.0,
    why: Why = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            help="The policy for --check. Default: shadow/policy.toml, else the defaults.",
        ),
    ] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Make an artifact live if its gates pass. No request fails meanwhile."""
    if check and seconds:
        raise typer.BadParameter("--check cannot be combined with --wait")
    if history is not None and not check:
        raise typer.BadParameter("--on-history needs --check: only a shadow is promoted")
    if check:
        _check(artifact, policy, history, url, token, as_json)
        return
    from gnomon.cli.console import print_event, wait
    from gnomon.cli.rollout_target import find_target

    target = find_target(url, token, artifact=artifact)
    patience = f", for up to {seconds:g} s" if seconds else ""
    with wait(f"loading and verifying {artifact}, and evaluating its gates{patience}"):
        event = _promote(target, artifact, force=force, why=why, seconds=seconds)
    print_event(event, target.place, target.pending(event), as_json)


def _promote(
    target: RolloutTarget, artifact: str, *, force: bool, why: str | None, seconds: float
) -> RolloutEvent:
    """Retry until the gates decide or the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return target.promote(artifact, force=force, why=why)
        except GateUndecided:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise
        time.sleep(min(ASK_AGAIN_SECONDS, remaining))


def _check(
    artifact: str,
    policy: Path | None,
    history: TimeRange | None,
    url: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    from gnomon.cli.console import print_json, wait
    from gnomon.cli.rollout_target import server_at
    from gnomon.cli.show.gates import gates_document, show_gates

    server = server_at(url, token, policy=policy)
    if server is None:
        gates = _evaluated(artifact, policy, history)
    elif history is None:
        gates = server.check_gates(artifact).gates[0]
    else:
        with wait(f"replaying logged requests through {artifact}"):
            gates = server.check_gates_on_history(artifact, start=history.start, end=history.end)
    if as_json:
        print_json(gates_document(gates))
    else:
        show_gates(gates)
    raise typer.Exit(0 if gates.verdict == "pass" else 1)


def _evaluated(artifact: str, policy: Path | None, history: TimeRange | None) -> Gates:
    """Evaluate gates on the log under the storage root."""
    from gnomon.api.queries import check_gates, check_gates_on_history
    from gnomon.cli.console import wait
    from gnomon.cli.rollout_target import settings_here
    from gnomon.policy import find_policy

    rules, settings = find_policy(policy), settings_here()
    if history is None:
        with wait("evaluating the gates"):
            return check_gates(artifact, policy=rules, settings=settings)
    with wait(f"replaying logged requests through {artifact}"):
        return check_gates_on_history(
            artifact, start=history.start, end=history.end, policy=rules, settings=settings
        )
