"""``gnomon promote``: make an artifact live, if its gates hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import AsJson, Token, Url, Why

if TYPE_CHECKING:
    from gnomon.shadow.gates import Gates

__all__ = ["command"]

MARKS = {
    "pass": "[green]✓ pass[/]",
    "fail": "[red]✗ fail[/]",
    "unknown": "[yellow]? unknown[/]",
}


def command(
    artifact: Annotated[str, typer.Argument(metavar="TAG", help="The artifact to make live.")],
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Show what the gates say and change nothing. Exit 1: not yet."
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Promote whatever the gates say. The history keeps that."),
    ] = False,
    why: Why = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            help="The policy --check asks. Without it: shadow/policy.toml, else the defaults.",
        ),
    ] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Make an artifact live, if its gates hold. No request fails while they swap."""
    if check:
        _check(artifact, policy, as_json)
        return
    from gnomon.cli.console import print_event, wait
    from gnomon.cli.target import find_target

    target = find_target(url, token, artifact=artifact)
    with wait(f"loading and verifying {artifact}"):
        event = target.promote(artifact, force=force, why=why)
    print_event(event, target.place, as_json)


def _check(artifact: str, policy: Path | None, as_json: bool) -> None:
    from gnomon.cli.console import print_json, wait
    from gnomon.cli.target import find_policy
    from gnomon.settings import Settings
    from gnomon.shadow.rollout import gates

    model = artifact.partition(":")[0]
    with wait("asking the gates"):
        found = gates(Settings.read(), model, artifact, find_policy(policy))
    if as_json:
        print_json({"verdict": found.verdict, **_plain(found)})
    else:
        _print(found)
    raise typer.Exit(0 if found.verdict == "pass" else 1)


def _plain(found: Gates) -> dict[str, object]:
    return {"artifact": found.artifact, "live": found.live, "gates": found.gates}


def _print(found: Gates) -> None:
    from rich.markup import escape

    from gnomon.cli.console import columns, out

    table = columns("gate", "verdict", "because")
    for gate in found.gates:
        table.add_row(gate.name, MARKS[gate.verdict], escape(gate.says))
    out.print(table)
    verdicts = {
        "pass": f"{found.artifact} may replace {found.live}.",
        "fail": f"{found.artifact} may not replace {found.live}.",
        "unknown": f"Nobody knows yet whether {found.artifact} may replace {found.live}.",
    }
    out.print(verdicts[found.verdict], markup=False)
