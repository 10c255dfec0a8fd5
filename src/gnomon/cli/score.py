"""``gnomon score``: score the rows of a file with an artifact, or through a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import AsJson
from gnomon.quantities import plural

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["command"]


def command(
    which: Annotated[
        str,
        typer.Argument(
            metavar="ARTIFACT",
            help="A tag such as flights:one, or a model's name for its live one. With --url none: "
            "the server's live artifact answers.",
        ),
    ],
    out_file: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write, CSV or Parquet.")
    ],
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The rows, CSV or Parquet.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="COLUMN",
            help="Column of the file to write next to the answers; repeat for several. Default: "
            "the entity key and the event time, or all.",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Score through this server, in one request."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="GNOMON_PREDICT_TOKEN",
            metavar="TOKEN",
            show_envvar=True,
            help="The prediction token, if the server requires one.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score the rows of a file, locally or through a server.

    Each is checked against the contract; one that fails has the reason in the column `error`.

    Exit code 0: all rows were scored. 1: some were not.
    """
    from gnomon.cli.console import out, print_json
    from gnomon.cli.reporting import counting
    from gnomon.offline.offline_table import write_table
    from gnomon.offline.scoring import FAILED

    _check_arguments(file, url)
    with counting("rows scored") as advance:
        if file is not None:
            answers, artifacts = _score_here(which, file, keep, advance)
        else:
            answers, artifacts = _score_there(str(url), token, Path(which), keep, advance)
    write_table(answers, out_file)
    failed = answers.num_rows - answers.column(FAILED).null_count
    by = ", ".join(artifacts)
    if as_json:
        document = {"artifact": by, "rows": answers.num_rows, "failed": failed}
        print_json({**document, "file": str(out_file)})
    else:
        failures = f", {failed:,} of them failed" if failed else ""
        out.print(
            f"{plural(answers.num_rows, 'row')} scored by {by or 'nothing'}{failures}: {out_file}",
            markup=False,
            soft_wrap=True,
        )
    raise typer.Exit(1 if failed else 0)


def _check_arguments(file: Path | None, url: str | None) -> None:
    """Refuse a file without an artifact, and an artifact for a server to score with."""
    if url is None and file is None:
        raise typer.BadParameter(
            "name the artifact that scores the file, or give the --url of a server",
            param_hint="ARTIFACT",
        )
    if url is not None and file is not None:
        raise typer.BadParameter(
            "with --url the server's live artifact scores the file: do not name one",
            param_hint="ARTIFACT",
        )


def _score_here(
    which: str, file: Path, keep: list[str] | None, progress: Callable[[int], None]
) -> tuple[pa.Table, list[str]]:
    from gnomon.offline.scoring import score_file
    from gnomon.rollout.named_artifacts import find_artifact
    from gnomon.settings import Settings

    settings = Settings.read()
    artifact = find_artifact(settings, which)
    return score_file(file, artifact, settings, keep=keep, progress=progress), [artifact.tag]


def _score_there(
    url: str,
    token: str | None,
    file: Path,
    keep: list[str] | None,
    progress: Callable[[int], None],
) -> tuple[pa.Table, list[str]]:
    from gnomon.service.client.clients import Client
    from gnomon.service.client.file_scoring import score_at_server

    with Client(url, predict_token=token) as client:
        return score_at_server(file, client, keep=keep, progress=progress)
