"""The command line: all commands and the general help."""

from __future__ import annotations

from typing import Annotated

import typer

from gnomon.cli import (
    approve,
    artifacts,
    audit,
    check,
    compare,
    contract,
    diagnose,
    drift,
    excuse,
    history,
    init,
    inspect,
    labels,
    leakage,
    log,
    promote,
    quality,
    replay,
    reports,
    rollback,
    score,
    serve,
    shadow,
    sign,
    status,
    token,
    withdraw,
)

__all__ = ["app"]

OPEN = ("init",)
"""Commands that write source code, for a team to share. All others may write data of requests, so
they set a umask."""

app = typer.Typer(
    name="gnomon",
    help="Serve a model, run the next one in its shadow, and prove that online matches offline.",
    epilog="Exit codes: 0 success, 1 the check failed (divergence, a gate that does not pass), "
    "2 an error, 3 an unexpected one. Settings are GNOMON_* variables, see docs/settings.md.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(is_requested: bool) -> None:
    if is_requested:
        from gnomon.version import __version__

        typer.echo(f"gnomon {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    if context.invoked_subcommand not in OPEN:
        from gnomon.files import apply_umask
        from gnomon.settings import Settings

        apply_umask(Settings.read().file_umask)


app.command("init")(init.command)
app.command("artifacts")(artifacts.command)
app.command("inspect")(inspect.command)
app.add_typer(contract.app, name="contract")
app.command("sign")(sign.command)
app.command("serve")(serve.command)
app.command("status")(status.command)
app.add_typer(shadow.app, name="shadow")
app.add_typer(excuse.app, name="excuse")
app.command("promote")(promote.command)
app.command("approve")(approve.command)
app.command("withdraw")(withdraw.command)
app.command("rollback")(rollback.command)
app.command("history")(history.command)
app.add_typer(audit.app, name="audit")
app.command("reports")(reports.command)
app.command("replay")(replay.command)
app.command("compare")(compare.command)
app.command("score")(score.command)
app.command("check")(check.command)
app.command("diagnose")(diagnose.command)
app.command("drift")(drift.command)
app.command("leakage")(leakage.command)
app.add_typer(labels.app, name="labels")
app.command("quality")(quality.command)
app.add_typer(log.app, name="log")
app.add_typer(token.app, name="token")
