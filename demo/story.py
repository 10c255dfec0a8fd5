"""The demo's story: what is done, what is shown, and what must be so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

import gnomon
from demo.difference import difference
from demo.place import DemoFailed, Place
from demo.telling import Telling
from demo.traffic import send
from gnomon.service.status import Latency
from gnomon.shadow.report import Report
from gnomon.testing import serving
from models.data import flights, records

__all__ = ["tell"]

RELEASE = "1"
LIVE = f"flights:logistic-{RELEASE}"
CANDIDATE = f"flights:boosting-{RELEASE}"
SKEWED = f"flights:boosting-{RELEASE}-utc"
OFFLINE = f"boosting-{RELEASE}.parquet"

HELD_BACK = 6
"""One flight in this many, the last of April, travels while the candidate is promoted."""

CATCH_UP_SECONDS = 120.0

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Stage:
    """What every part of the story needs."""

    telling: Telling
    place: Place
    url: str
    client: gnomon.AsyncClient

    def gnomon(self, *arguments: str, expect: int = 0) -> None:
        """Run a ``gnomon`` command and show what it prints."""
        printed = self.place.python("gnomon", *arguments, expect=expect)
        self.telling.quote(" ".join(("gnomon", *arguments)), printed)


async def tell(telling: Telling, place: Place, most: int | None) -> None:
    """The whole story, from training to the rollout history.

    Args:
        telling: writes it down.
        place: where everything is kept.
        most: send this many flights; all of April without it.

    Raises:
        DemoFailed: something it claims is not so.
    """
    train(telling, place)
    rows = list(records(flights(4)))[:most]
    held = len(rows) // HELD_BACK
    place.python("gnomon", "promote", LIVE, "--why", "the first model")
    with serving(place.root, place.storage) as server:
        async with gnomon.AsyncClient(server.url, control_token=place.token) as client:
            stage = Stage(telling, place, server.url, client)
            telling.heading("Serve April, in time order, with both candidates in shadow")
            telling.say(f"{LIVE} answers at {server.url}.")
            await serve_april(stage, rows[:-held])
            await live_against_shadow(stage)
            online_against_offline(stage, len(rows) - held)
            skewed_code(stage, len(rows) - held)
            await rollout(stage, rows[-held:])
    telling.heading("Look around")
    telling.say(f"The report of the skew: {place.shown(place.reports / 'skew.html')}")
    telling.say("The server is stopped. To go on with its log and its history: make serve")


def train(telling: Telling, place: Place) -> None:
    """Pack three artifacts and write the offline tables."""
    telling.heading("Train on January to March 2013, predict April offline")
    with telling.waiting("training and packing two models"):
        said = place.python("models.train", "--release", RELEASE, "--offline", str(place.offline))
    with telling.waiting("packing the second candidate"):
        version = SKEWED.partition(":")[2]
        folder = str(place.folder / "skewed")
        said += place.python("models.skew", CANDIDATE, "--version", version, "--folder", folder)
    for line in said.splitlines():
        telling.say(line)


async def serve_april(stage: Stage, rows: Rows) -> None:
    """Send the flights and wait for the shadows."""
    telling, client = stage.telling, stage.client
    for candidate in (CANDIDATE, SKEWED):
        await client.start_shadow(candidate, why="April will tell")
    with telling.counting(len(rows), "requests") as step:
        sent = await send(stage.url, rows, step)
    telling.claim(
        not sent.failures and dict(sent.artifacts) == {LIVE: len(rows)},
        f"{len(rows):,} requests sent, {sent.answered:,} answered by {LIVE}, "
        f"{len(sent.failures)} failed: {len(rows) / sent.seconds:,.0f} a second, half of them "
        f"within {sent.within(0.5):.0f} ms, 99% within {sent.within(0.99):.0f} ms",
    )
    with telling.waiting("the shadows catch up"):
        await catch_up(client, len(rows))


async def catch_up(client: gnomon.AsyncClient, rows: int) -> None:
    """Return once every shadow has scored this many rows.

    Raises:
        DemoFailed: one has not, in time.
    """
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while any(shadow.scored < rows for shadow in (await client.status()).shadows):
        if time.monotonic() > deadline:
            shadows = (await client.status()).shadows
            raise DemoFailed(f"the shadows have not scored {rows:,} rows: {shadows}")
        await asyncio.sleep(0.25)


async def live_against_shadow(stage: Stage) -> None:
    """Part 1: how the candidates differ from live, and how long each takes."""
    stage.telling.heading("1. Live against shadow")
    status = await stage.client.status()
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for name in (
        "",
        "rows",
        "agree",
        "same label",
        "flips",
        "mean change",
        "99%",
        "batch p50 / p99",
    ):
        table.add_column(name, justify="left" if not name else "right")
    if status.live is not None:
        table.add_row(LIVE, *[""] * 6, milliseconds(status.live.latency_ms))
    for shadow in status.shadows:
        found = difference(shadow.artifact)
        stage.telling.claim(
            shadow.failed == 0 and shadow.scored == found.rows == shadow.compared,
            f"{shadow.artifact} scored all {shadow.scored:,} rows that live answered",
        )
        table.add_row(
            shadow.artifact,
            f"{found.rows:,}",
            f"{1 - (shadow.disagreement or 0):.1%}",
            f"{found.same_label:.1%}",
            f"{shadow.flips or 0:.1%}",
            f"{found.mean:.3f}",
            f"{found.high:.2f}",
            milliseconds(shadow.latency_ms),
        )
    stage.telling.console.print(table)
    stage.telling.say(
        "Rows agree when the label is the same and the probability within 0.2; they flip when the "
        "decision at 0.3 does (shadow/policy.toml)."
    )
    stage.telling.say(
        "Both candidates look alike from here. That is why live against shadow is not enough."
    )


def milliseconds(latency: Latency | None) -> str:
    """A worker's time for a batch."""
    return "" if latency is None else f"{latency.p50:.1f} / {latency.p99:.1f} ms"


def online_against_offline(stage: Stage, rows: int) -> None:
    """Part 2: the healthy candidate said online what training said offline."""
    stage.telling.heading("2. Shadow online against offline predictions of the same artifact")
    report = compare(stage, CANDIDATE, "match", expect=0)
    stage.telling.claim(
        report.verdict == "ok" and report.coverage.compared == rows and not report.divergence.rows,
        f"all {rows:,} rows match: {report.exact:,} to the bit, the rest within the tolerance",
    )


def skewed_code(stage: Stage, rows: int) -> None:
    """Part 3: the second candidate did not, and Gnomon finds the line."""
    stage.telling.heading("3. The same weights, served by code that takes the hour from UTC")
    report = compare(stage, SKEWED, "skew", expect=1)
    impact, diagnosis = report.impact, report.diagnosis
    stage.telling.claim(
        report.verdict == "diverged"
        and report.coverage.compared == rows
        and report.divergence.share > 0.95
        and impact is not None
        and impact.mean_change is not None,
        f"{report.divergence.rows:,} of {rows:,} rows diverge ({report.divergence.share:.1%}); "
        f"the probability moves by {impact and impact.mean_change:.3f} on average",
    )
    stage.telling.claim(
        diagnosis is not None and (diagnosis.column or "").endswith("/hour"),
        f"what parts first is {diagnosis and diagnosis.column}",
    )
    stage.gnomon("promote", SKEWED, "--check", expect=1)


def compare(stage: Stage, artifact: str, name: str, *, expect: int) -> Report:
    """Run ``gnomon compare`` as a user would, and read the report it keeps."""
    table = stage.place.shown(stage.place.offline / OFFLINE)
    report = stage.place.shown(stage.place.reports / name)
    stage.gnomon("compare", artifact, "--table", table, "--report", report, expect=expect)
    return Report.from_json(stage.place.reports.joinpath(f"{name}.json").read_bytes())


async def rollout(stage: Stage, rows: Rows) -> None:
    """Part 4: promote and roll back while requests come in."""
    telling, client = stage.telling, stage.client
    telling.heading("4. Promote the healthy candidate, and roll back, under load")
    stage.gnomon("promote", CANDIDATE, "--check")
    third, done = len(rows) // 3, 0

    with telling.counting(len(rows), "requests") as step:

        def each() -> None:
            nonlocal done
            done += 1
            step()

        async def reach(count: int) -> None:
            while done < count:
                await asyncio.sleep(0.01)

        traffic = asyncio.create_task(send(stage.url, rows, each))
        await reach(third)
        await client.promote(CANDIDATE, why="it matched offline on every row")
        await reach(2 * third)
        await client.rollback(why="only to show how")
        sent = await traffic
    telling.claim(
        not sent.failures and set(sent.artifacts) == {LIVE, CANDIDATE},
        f"{len(rows):,} requests meanwhile, {len(sent.failures)} failed: "
        + ", ".join(f"{count:,} answered by {tag}" for tag, count in sent.artifacts.items()),
    )
    stage.gnomon("history")
