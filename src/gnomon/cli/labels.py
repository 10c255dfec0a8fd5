"""``gnomon labels``: store what predictions turned out to be, and see what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.options import AsJson, LogUrl, Model, Token
from gnomon.cli.ranges import End, PolicyFile, Start

__all__ = ["app"]

app = typer.Typer(
    name="labels",
    help="Import and count labels: what predictions turned out to be.",
    no_args_is_help=True,
)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The labels, CSV or Parquet.")],
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="FIELD=COLUMN",
            help="The column of a field: value (value.TARGET for several targets), request_id, "
            "row, entity.FEATURE, event_time, known_at, source, correction; repeat for several. "
            "Default: the columns of these names, of the entity key and of the event time, and "
            "label for value.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="TEXT", help="Where they come from, if no column says."),
    ] = None,
    correction: Annotated[
        int,
        typer.Option(
            "--correction",
            metavar="N",
            min=0,
            max=2**31 - 1,
            help="The number of the correction, if no column says: 0 for first values.",
        ),
    ] = 0,
    timezone: Annotated[
        str | None,
        typer.Option(
            "--timezone",
            metavar="ZONE",
            help="The time zone of times without an offset, such as UTC or America/New_York.",
        ),
    ] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Store the labels of a file. Running it again is harmless.

    Each row names its prediction by request id and row, or by the entity key and the event time.
    A row without a value is not known yet; if its correction number is above 0, it withdraws a
    label.

    Exit code 0: every row was stored, is known already, or has no value. 1: some were refused.
    """
    from gnomon.api.labels import import_labels
    from gnomon.cli.console import print_json
    from gnomon.cli.reporting import counting
    from gnomon.cli.rollout_target import settings_here
    from gnomon.cli.show.labels import show_import

    with counting("rows read") as advance:
        result = import_labels(
            file,
            model,
            columns=_columns(column or []),
            source=source,
            correction=correction,
            timezone=timezone,
            settings=settings_here(),
            progress=advance,
        )
    print_json(result) if as_json else show_import(result, model)
    raise typer.Exit(1 if result.refused else 0)


@app.command("status")
def status(
    every: Annotated[
        bool,
        typer.Option(
            "--all",
            help="List every contradictory and unmatched label, not only the newest of each.",
        ),
    ] = False,
    model: Model = None,
    url: LogUrl = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show how many answers have labels, by age, and what became of all labels."""
    from gnomon.api.labels import label_status
    from gnomon.cli.console import print_json, wait
    from gnomon.cli.rollout_target import server_at, settings_here
    from gnomon.cli.show.labels import show_status
    from gnomon.labels.label_status import EXAMPLES

    server = server_at(url, token, model=model, all=every)
    with wait("matching labels with the log"):
        if server is not None:
            found = server.label_status()
        else:
            examples = None if every else EXAMPLES
            found = label_status(model, examples=examples, settings=settings_here())
    print_json(found) if as_json else show_status(found)


@app.command("wanted")
def wanted(
    artifact: Annotated[str, typer.Argument(metavar="TAG", help="A shadow, running or stopped.")],
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", min=1, help="At most this many rows.")
    ] = 200,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            metavar="METRIC",
            help="By this loss: error, brier, log_loss, absolute_error, squared_error or cost. "
            "Default: the first with a limit in the policy, else the first there is.",
        ),
    ] = None,
    start: Start = None,
    end: End = None,
    policy: PolicyFile = None,
    url: LogUrl = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List rows without a label, those first whose label would tell most, as CSV.

    Fill in the column `value` and import the file. Rows where no label makes a difference are left
    out. If only such lists are labelled, set `missing = "worst_case"` in the policy's [quality].
    """
    import msgspec
    import pyarrow as pa

    from gnomon.api.quality import wanted_labels
    from gnomon.cli.console import print_json
    from gnomon.cli.rollout_target import server_at, settings_here
    from gnomon.cli.show.rows import print_csv
    from gnomon.policy import find_policy

    server = server_at(url, token, policy=policy)
    if server is not None:
        table = server.wanted_table(artifact, rows=rows, metric=metric, start=start, end=end)
        listed = table.to_pylist()
    else:
        found = wanted_labels(
            artifact,
            rows=rows,
            metric=metric,
            start=start,
            end=end,
            policy=find_policy(policy),
            settings=settings_here(),
        )
        listed = msgspec.to_builtins(found.to_pylist())  # As a server sends them.
        table = pa.Table.from_pylist(listed) if listed else found
    print_json(listed) if as_json else print_csv(table)


def _columns(given: list[str]) -> dict[str, str]:
    for text in given:
        if "=" not in text:
            raise typer.BadParameter(f"expected FIELD=COLUMN, got {text!r}", param_hint="--column")
    return dict(text.split("=", 1) for text in given)
