"""Show a command's report, print where it is saved, and exit with its verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeAlias

import typer

if TYPE_CHECKING:
    from gnomon.api.skew_checks import SkewCheck

__all__ = ["ReportPath", "counting", "show"]

ReportPath: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="PATH",
        help="Where to save the report: PATH.html for people, PATH.json for programs. "
        "Default: reports/ in the storage root.",
    ),
]


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Show a progress bar for rows, whose number is not known before they are read."""
    from gnomon.cli.console import progress

    with progress() as bar:
        task = bar.add_task(what, total=None)
        yield lambda rows: bar.advance(task, rows)


def show(check: SkewCheck, as_json: bool) -> NoReturn:
    """Show a report. Exit code 0 if the two sides agree, 1 if they do not or it is unknown."""
    from gnomon.cli.console import out
    from gnomon.report import print_report

    if as_json:
        out.print(check.report.to_json().decode(), markup=False, soft_wrap=True, end="")
    else:
        print_report(check.report, out)
        out.print(f"\nReport: {check.page}", markup=False, soft_wrap=True)
    raise typer.Exit(0 if check.agrees else 1)
