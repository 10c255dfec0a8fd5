"""``gnomon quality``: compare shadows with live by labels, or estimate quality before them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.durations import parse_duration
from gnomon.cli.options import AsJson, LogUrl, Token
from gnomon.cli.ranges import End, PolicyFile, Start

__all__ = ["command"]


def command(
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="TAG",
            help="A shadow, running or stopped. Default: all running ones.",
        ),
    ] = None,
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate",
            help="Estimate the quality of live and its shadows, or of TAG, where labels are not "
            "known yet.",
        ),
    ] = False,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            metavar="FILE",
            help="With --estimate: labelled rows, CSV or Parquet, to estimate from. Default: "
            "labelled rows of the log.",
        ),
    ] = None,
    label: Annotated[
        str,
        typer.Option("--label", metavar="COLUMN", help="The column of the labels in that file."),
    ] = "label",
    chunk: Annotated[
        timedelta | None,
        typer.Option(
            "--chunk",
            parser=parse_duration,
            metavar="DURATION",
            help="With --estimate: the least width of a chunk of time, such as 1d or 6h.",
        ),
    ] = None,
    start: Start = None,
    end: End = None,
    policy: PolicyFile = None,
    url: LogUrl = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Compare shadows with live by labels, or estimate quality.

    Each metric is a mean loss: a negative difference is an improvement. The intervals hold however
    often you look; rows of one entity count once. `gnomon promote --check` judges the differences
    by the limits of the policy's [quality]. No gate rests on estimates.
    """
    from gnomon.api.estimates import estimate_quality
    from gnomon.api.quality import measure_quality
    from gnomon.cli.console import print_json, wait
    from gnomon.cli.rollout_target import server_at, settings_here
    from gnomon.cli.show.estimates import show_estimates
    from gnomon.cli.show.quality import show_quality
    from gnomon.policy import find_policy

    if not estimate and (reference or chunk or label != "label"):
        raise typer.BadParameter("--reference, --label and --chunk are for --estimate")
    server = server_at(url, token, policy=policy, reference=reference)
    if estimate:
        with wait("estimating losses"):
            if server is not None:
                estimates = server.estimate_quality(which, start=start, end=end, chunk=chunk)
            else:
                estimates = estimate_quality(
                    which, reference=reference, label=label, start=start, end=end, chunk=chunk,
                    policy=find_policy(policy), settings=settings_here(),
                )  # fmt: skip
        print_json(estimates) if as_json else show_estimates(estimates)
        return
    with wait("joining labels with answers"):
        if server is not None:
            report = server.measure_quality(which, start=start, end=end)
        else:
            report = measure_quality(
                which, start=start, end=end, policy=find_policy(policy), settings=settings_here()
            )
    print_json(report) if as_json else show_quality(report)
