"""``gnomon log``: query the inference log, seal it, check its accounts, and repair it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.options import AsJson, Model
from gnomon.quantities import plural

__all__ = ["app"]

_SEALER_SECONDS = 30.0

app = typer.Typer(
    name="log",
    help="Query, seal, check and repair the inference log.",
    no_args_is_help=True,
)


@app.command("sql")
def sql(
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY",
            help='SQL in the dialect of DuckDB; the log is the table "log".',
        ),
    ],
    unsafe: Annotated[
        bool,
        typer.Option(
            "--unsafe",
            help="Let the query read and write files, reach the network and load extensions.",
        ),
    ] = False,
    model: Model = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: AsJson = False,
    parquet: Annotated[
        Path | None,
        typer.Option("--parquet", metavar="FILE", help="Write the rows to a Parquet file."),
    ] = None,
) -> None:
    """Query the log with SQL: sealed and open rows, each once. Queries cannot read files.

    For example: gnomon log sql "SELECT outcome, count(*) AS n FROM log GROUP BY ALL"
    """
    from gnomon.cli.console import out, print_json, wait
    from gnomon.cli.rollout_target import settings_here
    from gnomon.cli.show.rows import print_csv, show_rows
    from gnomon.log import InferenceLog
    from gnomon.offline.offline_table import write_table
    from gnomon.rollout.named_artifacts import find_model

    if parquet is not None and parquet.suffix not in (".parquet", ".pq"):
        raise typer.BadParameter(f"expected a name that ends in .parquet, got {parquet.name!r}")
    if csv + as_json + (parquet is not None) > 1:
        raise typer.BadParameter("give one of --csv, --json and --parquet")
    settings = settings_here()
    with wait("querying the log"):
        rows = InferenceLog(settings, find_model(settings, model)).sql(query, unsafe=unsafe)
    if parquet is not None:
        write_table(rows, parquet)
        out.print(f"{plural(rows.num_rows, 'row')}: {parquet}", markup=False, soft_wrap=True)
    elif csv:
        print_csv(rows)
    elif as_json:
        print_json(rows.to_pylist())
    else:
        show_rows(rows)


@app.command("accounts")
@app.command("books", hidden=True)  # Its name until 0.2; remove it after one release.
def accounts(model: Model = None, as_json: AsJson = False) -> None:
    """Check that every row has exactly one outcome.

    For live and for every shadow, to the row. Exit code 1: the accounts do not balance.
    """
    from gnomon.cli.console import out, print_json, wait
    from gnomon.cli.rollout_target import settings_here
    from gnomon.log import InferenceLog
    from gnomon.rollout.named_artifacts import find_model
    from gnomon.shadow.accounts.balance import balance

    settings = settings_here()
    with wait("counting"):
        log_accounts = balance(InferenceLog(settings, find_model(settings, model)))
    if as_json:
        print_json(
            {
                "balanced": log_accounts.balanced,
                "live": log_accounts.live,
                "shadows": log_accounts.shadows,
                "sealed": log_accounts.sealed,
                "damaged": log_accounts.damaged,
            }
        )
    else:
        out.print(log_accounts.explain(), markup=False, soft_wrap=True)
    raise typer.Exit(0 if log_accounts.balanced else 1)


@app.command("repair")
def repair_log(model: Model = None, as_json: AsJson = False) -> None:
    """Move damaged parts of the log aside and report what is lost.

    Nothing is deleted: damaged files are kept under `damaged`. Exit code 1: rows are lost.
    """
    from gnomon.cli.console import out, print_json, wait
    from gnomon.cli.rollout_target import settings_here
    from gnomon.cli.show.repair import explain
    from gnomon.log.repair.repair import repair
    from gnomon.rollout.named_artifacts import find_model

    settings = settings_here()
    with wait("looking for damage"):
        outcome = repair(settings, find_model(settings, model))
    if as_json:
        print_json(outcome)
    else:
        out.print("\n".join(explain(outcome)), markup=False, soft_wrap=True)
    raise typer.Exit(1 if outcome.lost_rows else 0)


@app.command("seal")
def seal(
    model: Model = None,
    now: Annotated[
        bool,
        typer.Option("--now", help="Close open segments first, by the server that writes them."),
    ] = False,
) -> None:
    """Move closed segments into the table; show what is open.

    Also apply the retention settings. A running server does both by itself.
    """
    from gnomon.cli.console import out, wait
    from gnomon.cli.rollout_target import settings_here
    from gnomon.cli.show.sealed import explain
    from gnomon.log.open_segments import close_now, open_segments
    from gnomon.log.seal import Sealer
    from gnomon.rollout.named_artifacts import find_model

    settings = settings_here()
    name = find_model(settings, model)
    sealer = Sealer(settings, name, wait=_SEALER_SECONDS)
    with wait("sealing"):
        closed = close_now(settings, name) if now else None
        sealed = sealer.seal()
        sealer.maintain()
        open_now = open_segments(settings, name)
    out.print(
        explain(sealed, open_now, settings.segment_seconds, closed), markup=False, soft_wrap=True
    )
