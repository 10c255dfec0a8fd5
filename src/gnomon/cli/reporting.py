"""What commands do with a report: show it, keep it, tell the gates, exit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeAlias

import typer

if TYPE_CHECKING:
    from gnomon.report import Report, Subject
    from gnomon.settings import Settings

__all__ = ["ReportPath", "counting", "deliver", "keep"]

ReportPath: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="PATH",
        help="Where to keep the report: PATH.html for people, PATH.json for programs. "
        "Without it: reports/ in the storage root.",
    ),
]


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """A progress bar for rows; how many there will be is not known before they are read."""
    from gnomon.cli.console import progress

    with progress() as bar:
        task = bar.add_task(what, total=None)
        yield lambda rows: bar.advance(task, rows)


def deliver(report: Report, settings: Settings, path: Path | None, as_json: bool) -> NoReturn:
    """Show a report and keep it. Exit code 0 if the two sides agree, 1 if not or not known."""
    from gnomon.cli.console import out
    from gnomon.report import print_report, to_html

    page = keep(report.kind, report.subject, to_html(report), report.to_json(), settings, path)
    _tell_gates(report, settings, page)
    if as_json:
        out.print(report.to_json().decode(), markup=False, soft_wrap=True, end="")
    else:
        print_report(report, out)
        out.print(f"\nReport: {page}", markup=False, soft_wrap=True)
    raise typer.Exit(0 if report.verdict == "ok" else 1)


def keep(
    kind: str, subject: Subject, html: str, data: bytes, settings: Settings, path: Path | None
) -> str:
    """Write a report's page and its JSON, which hold rows of the log; where the page is."""
    from gnomon.files import replace
    from gnomon.storage import Storage

    page = html.encode()
    if path is not None:
        replace(path.with_name(f"{path.name}.json"), data)
        replace(path.with_name(f"{path.name}.html"), page)
        return f"{path}.html"
    storage = Storage(settings)
    version = subject.artifact.partition(":")[2]
    now = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    name = f"reports/{subject.model}/{kind}-{version}-{now}"
    storage.create(f"{name}.json", data)
    storage.create(f"{name}.html", page)
    return f"{settings.root.rstrip('/')}/{name}.html"


def _tell_gates(report: Report, settings: Settings, page: str) -> None:
    """The skew gate of a promotion asks how the artifact itself fared, online against offline."""
    from gnomon.skew import last_replay
    from gnomon.storage import Storage

    subject = report.subject
    if report.kind == "replay" and report.against != subject.artifact:
        return
    if report.verdict == "unknown":
        return
    found = last_replay.Skew(
        artifact=subject.artifact,
        digest=subject.digest,
        rows=report.divergence.of,
        disagreed=report.divergence.rows,
        report=page,
    )
    last_replay.write(Storage(settings), found)
