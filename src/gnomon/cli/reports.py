"""``gnomon reports``: list the reports saved under the storage root."""

from __future__ import annotations

from typing import Annotated

import typer

from gnomon.cli.options import AsJson, Model

__all__ = ["command"]


def command(
    model: Model = None,
    last: Annotated[
        int, typer.Option("--last", min=1, metavar="N", help="Show only the newest N.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """List the saved reports, newest first.

    They are those of replay, compare, diagnose and drift.
    """
    from gnomon.api.queries import saved_reports
    from gnomon.cli.console import out, print_json
    from gnomon.cli.rollout_target import settings_here
    from gnomon.cli.show.reports import show_reports

    reports = saved_reports(model, last=last, settings=settings_here())
    if as_json:
        print_json(list(reports))
    elif reports:
        show_reports(reports)
    else:
        out.print("no reports are saved; replay, compare, diagnose and drift save theirs")
