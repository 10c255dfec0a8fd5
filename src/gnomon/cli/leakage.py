"""``gnomon leakage``: check training data for information that serving does not have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.options import AsJson
from gnomon.cli.ranges import AsRole, End, Start

__all__ = ["command"]


def command(
    train: Annotated[
        Path, typer.Argument(metavar="TRAIN", help="The training rows: CSV or Parquet.")
    ],
    label: Annotated[
        str | None, typer.Option("--label", metavar="COLUMN", help="The column to predict.")
    ] = None,
    holdout: Annotated[
        Path | None,
        typer.Option("--holdout", metavar="FILE", help="Rows the model was not trained on."),
    ] = None,
    later: Annotated[
        Path | None, typer.Option("--later", metavar="FILE", help="Rows that are later than both.")
    ] = None,
    event_time: Annotated[
        str | None,
        typer.Option(
            "--event-time",
            metavar="COLUMN",
            help="When the prediction was requested. Default: the artifact's event time.",
        ),
    ] = None,
    entity_key: Annotated[
        list[str] | None,
        typer.Option(
            "--entity-key",
            "--key",
            metavar="COLUMN",
            help="The entity key; repeat it for several columns. Default: the artifact's "
            "entity key.",
        ),
    ] = None,
    known_at: Annotated[
        list[str] | None,
        typer.Option(
            "--known-at",
            metavar="FEATURE=COLUMN",
            help="The column with the time a feature's value was known; may be repeated.",
        ),
    ] = None,
    artifact: Annotated[
        str | None,
        typer.Option(
            "--artifact",
            metavar="TAG",
            help="The artifact trained on these rows: a tag, or a model's name for its live one. "
            "Its scores and the rows it served are checked too.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            "--outcomes",
            metavar="FILE",
            help="Keys of served rows and their labels.",
        ),
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on",
            metavar="COLUMN",
            help="A key to join the labels on; repeat it for several. Default: the "
            "artifact's entity key.",
        ),
    ] = None,
    role: AsRole = None,
    start: Start = None,
    end: End = None,
    as_json: AsJson = False,
) -> None:
    """Check training rows, splits and served rows for leakage.

    Features from after the prediction, copies of the label, ids that reveal it; with a holdout,
    rows and days on both sides; with an artifact, its scores and the rows it served.

    Exit code 0: nothing was found. 1: something was, or it is inconclusive.
    """
    from gnomon.api.data_checks import check_leakage
    from gnomon.cli.console import print_json
    from gnomon.cli.reporting import counting
    from gnomon.cli.rollout_target import settings_here
    from gnomon.cli.show.leakage import show_leakage
    from gnomon.settings import Settings

    with counting("logged rows read") as advance:
        report = check_leakage(
            train,
            label=label,
            holdout=holdout,
            later=later,
            event_time=event_time,
            entity_key=entity_key or (),
            known_at=dict(map(_pair, known_at or ())),
            artifact=artifact,
            role=role,
            start=start,
            end=end,
            labels=labels,
            on=on or (),
            settings=Settings.read() if artifact is None else settings_here(),
            progress=advance,
        )
    if as_json:
        print_json(report)
    else:
        show_leakage(report)
    raise typer.Exit(0 if report.verdict == "ok" else 1)


def _pair(text: str) -> tuple[str, str]:
    feature, sign, column = text.partition("=")
    if not sign or not feature or not column:
        raise typer.BadParameter(f"expected FEATURE=COLUMN, got {text!r}")
    return feature, column
