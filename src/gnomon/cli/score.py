"""``gnomon score``: score the rows of a file with an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.options import AsJson

__all__ = ["command"]


def command(
    which: Annotated[
        str,
        typer.Argument(
            metavar="ARTIFACT",
            help="A tag such as flights:one, or a model's name for its live one.",
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The rows, CSV or Parquet.")],
    out_file: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write, CSV or Parquet.")
    ],
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="COLUMN",
            help="Column of the file to write beside the answers; repeat for several. Default: the "
            "entity key and the event time, or all.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score the rows of a file, as a server would.

    Each is checked against the contract; one that fails has the reason in the column `error`.

    Exit code 0: all rows were scored. 1: some were not.
    """
    from gnomon.cli.console import out, print_json
    from gnomon.cli.reporting import counting
    from gnomon.offline.offline_table import write_table
    from gnomon.offline.scoring import FAILED, score_file
    from gnomon.rollout.lookup import find_artifact
    from gnomon.settings import Settings

    settings = Settings.read()
    artifact = find_artifact(settings, which)
    with counting("rows scored") as advance:
        answers = score_file(file, artifact, settings, keep=keep, progress=advance)
    write_table(answers, out_file)
    failed = answers.num_rows - answers.column(FAILED).null_count
    if as_json:
        said = {"artifact": artifact.tag, "rows": answers.num_rows, "failed": failed}
        print_json({**said, "file": str(out_file)})
    else:
        what = f", {failed:,} of them failed" if failed else ""
        out.print(
            f"{answers.num_rows:,} rows scored by {artifact.tag}{what}: {out_file}",
            markup=False,
            soft_wrap=True,
        )
    raise typer.Exit(1 if failed else 0)
