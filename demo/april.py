"""Before the parts: April's flights are served, with both candidates in shadow."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from demo.stage import CANDIDATE, LIVE, SKEWED, Rows, Stage
from demo.traffic import AT_ONCE, send

__all__ = ["serve_april"]

CALM = 25
"""So many flights go one by one, to time batches of one row, of live and of the shadows."""


async def serve_april(stage: Stage, rows: Rows) -> None:
    """Send the flights and wait for the shadows."""
    output = stage.output
    output.heading("Serve April, in time order, with both candidates in shadow")
    output.say(f"{LIVE} answers at {stage.url}.")
    for candidate in (CANDIDATE, SKEWED):
        await stage.client.start_shadow(candidate, why="try it on April")
    with output.counting(len(rows), "requests") as step:
        calm = await one_by_one(stage, rows[:CALM], step)
        busy = await send(stage.url, rows[CALM:], step)
    output.claim(
        not busy.failures and dict(busy.artifacts) == {LIVE: len(rows) - CALM},
        f"{len(rows):,} requests sent, {CALM + busy.answered:,} answered by {LIVE}, "
        f"{len(busy.failures)} failed",
    )
    output.say(
        f"One by one, half of {CALM} were answered within {calm:.0f} ms. With {AT_ONCE} in flight "
        f"{busy.answered / busy.seconds:,.0f} were answered per second, half within "
        f"{busy.within(0.5):.0f} ms, 99% within {busy.within(0.99):.0f} ms."
    )
    with output.waiting("the shadows catch up"):
        await stage.catch_up(len(rows))


async def one_by_one(stage: Stage, rows: Rows, each: Callable[[], None]) -> float:
    """Send each flight when the shadows have scored the one before; the median milliseconds."""
    times = []
    for count, row in enumerate(rows, start=1):
        began = time.perf_counter()
        await stage.client.predict(row)
        times.append((time.perf_counter() - began) * 1000)
        await stage.catch_up(count)
        each()
    return median(times)
