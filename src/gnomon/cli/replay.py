"""``gnomon replay``: run logged requests again and compare with the logged answers."""

from __future__ import annotations

from typing import Annotated

import typer

from gnomon.cli.options import AsJson
from gnomon.cli.ranges import AsRole, End, PolicyFile, Start, Which
from gnomon.cli.reporting import ReportPath

__all__ = ["command"]


def command(
    which: Which,
    through: Annotated[
        str | None,
        typer.Option(
            "--through",
            metavar="TAG",
            help="Run them through another artifact: what would it have changed?",
        ),
    ] = None,
    halves: Annotated[
        bool,
        typer.Option(
            "--halves",
            help="With --through: is it its preprocessing or its model that changes the answers?",
        ),
    ] = False,
    role: AsRole = None,
    start: Start = None,
    end: End = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            metavar="ROWS",
            help="Stop after this many answered rows, in the order of the log's files.",
        ),
    ] = None,
    policy: PolicyFile = None,
    report: ReportPath = None,
    as_json: AsJson = False,
) -> None:
    """Run logged requests again and compare the answers.

    The same artifact must give the same answers. If it does not, something outside of it has
    changed.

    Exit code 0: they agree. 1: they diverge beyond the policy, or it is inconclusive.
    """
    from gnomon.api import skew_checks
    from gnomon.cli.reporting import counting, show
    from gnomon.cli.rollout_target import settings_here
    from gnomon.policy import find_policy

    settings_here()
    with counting("rows run again") as advance:
        check = skew_checks.replay(
            which,
            through=through,
            halves=halves,
            role=role,
            start=start,
            end=end,
            limit=limit,
            policy=find_policy(policy),
            save_as=report,
            progress=advance,
        )
    show(check, as_json)
