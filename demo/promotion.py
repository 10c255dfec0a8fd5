"""Part 5: the healthy candidate is promoted and rolled back while requests come in."""

from __future__ import annotations

import asyncio

from demo.stage import CANDIDATE, LIVE, Rows, Stage
from demo.traffic import send

__all__ = ["promote_and_roll_back"]

BETWEEN = 100
"""So many flights travel before, between and after the two decisions, at least."""

PAUSE = 0.01
"""Seconds between requests until then: flights are left when the candidate is loaded, and the
shadows keep up on a slow machine, as a promotion wants them to."""


async def promote_and_roll_back(stage: Stage, rows: Rows) -> None:
    """Send the flights, decide twice meanwhile, and show the history."""
    output, client = stage.output, stage.client
    output.heading("5. Promote the healthy candidate, and roll back, while requests come in")
    queue, done = iter(rows), 0
    with output.counting(len(rows), "requests") as step:

        def each() -> None:
            nonlocal done
            done += 1
            step()

        async def some_more() -> None:
            enough = min(done + BETWEEN, len(rows))
            while done < enough:
                await asyncio.sleep(0.01)

        traffic = asyncio.create_task(send(stage.url, queue, each, at_once=1, pause=PAUSE))
        await some_more()
        await client.promote(CANDIDATE, why="online matches offline")
        await some_more()
        await client.rollback(why="to show the rollback")
        await some_more()
        rest = await send(stage.url, queue, each)
        sent = await traffic
    answers, failures = sent.artifacts + rest.artifacts, [*sent.failures, *rest.failures]
    said = " and ".join(f"{count:,} by {tag}" for tag, count in answers.items())
    output.claim(
        not failures and answers.total() == len(rows) and set(answers) == {LIVE, CANDIDATE},
        f"{len(rows):,} requests meanwhile, {len(failures)} failed: answered {said}",
    )
    stage.gnomon("log", "accounts")
    audit(stage)


def audit(stage: Stage) -> None:
    """Show the history, and prove it to somebody who has only a file and a public key."""
    stage.gnomon("history")
    key, bundle = (stage.place.folder / name for name in ("audit-key", "audit.tar"))
    stage.gnomon("sign", "--new-key", stage.place.shown(key))
    stage.gnomon(
        "audit", "export", "--key", stage.place.shown(key), "--out", stage.place.shown(bundle)
    )
    stage.gnomon(
        "audit", "verify", stage.place.shown(bundle), "--key", f"{stage.place.shown(key)}.pub"
    )
