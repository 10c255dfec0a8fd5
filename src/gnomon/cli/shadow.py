"""``gnomon shadow``: start and stop shadows."""

from __future__ import annotations

from typing import Annotated

import typer

from gnomon.cli.options import AsJson, Token, Url, Why

__all__ = ["app"]

app = typer.Typer(
    name="shadow",
    help="Run an artifact on the live requests without answering clients.",
    no_args_is_help=True,
)

Tag = Annotated[str, typer.Argument(metavar="TAG", help="The artifact, such as flights:latest.")]


@app.command("start")
def start(
    artifact: Tag,
    fraction: Annotated[
        float | None,
        typer.Option(
            "--fraction",
            min=0.0,
            max=1.0,
            help="The share of entities it scores (of requests, if the contract has no entity "
            "key). Default: the policy's.",
        ),
    ] = None,
    same: Annotated[
        bool,
        typer.Option(
            "--same", help="Shadow the live artifact itself (A/A): its differences are noise."
        ),
    ] = False,
    preprocessing: Annotated[
        str | None,
        typer.Option(
            "--preprocessing",
            metavar="TAG",
            help="Run its model on the preprocessing of this artifact, to see which half makes a "
            "difference; for debugging, it cannot be promoted.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Start it even if its contract refuses requests that clients send today.",
        ),
    ] = False,
    why: Why = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Start a shadow. Live never waits for it.

    Its contract is compared with the live one. It is refused if it would refuse requests that
    clients send today; warnings are shown.
    """
    from gnomon.cli.console import print_event, wait
    from gnomon.cli.rollout_target import find_target

    target = find_target(url, token, artifact=artifact)
    with wait(f"starting {artifact}"):
        event = target.start_shadow(
            artifact, fraction, same=same, preprocessing=preprocessing, force=force, why=why
        )
    print_event(event, target.place, target.pending(event), as_json)


@app.command("stop")
def stop(
    artifact: Tag,
    why: Why = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Stop a shadow. Its answers stay in the log."""
    from gnomon.cli.console import print_event
    from gnomon.cli.rollout_target import find_target

    target = find_target(url, token, artifact=artifact)
    event = target.stop_shadow(artifact, why=why)
    print_event(event, target.place, target.pending(event), as_json)
