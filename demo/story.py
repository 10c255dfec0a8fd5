"""The demo's story: what is done, what is shown, and what must be so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import gnomon
from demo.difference import difference
from demo.place import DemoFailed, Place
from demo.telling import Telling
from demo.traffic import AT_ONCE, send
from gnomon.service.status import Live, ShadowStatus
from gnomon.settings import Settings
from gnomon.shadow import rollout as decide
from gnomon.shadow.report import Report
from gnomon.testing import serving
from models.data import flights, records

__all__ = ["tell"]

BY = "the demo"
RELEASE = "1"
LIVE = f"flights:logistic-{RELEASE}"
CANDIDATE = f"flights:boosting-{RELEASE}"
SKEWED = f"flights:boosting-{RELEASE}-utc"
OFFLINE = f"boosting-{RELEASE}.parquet"

BETWEEN = 100
"""So many flights travel before, between and after promotion and rollback, at least."""

CALM = 25
"""So many flights go one by one, to time batches of one row, of live and of the shadows."""

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
    held = max(len(rows) // 4, min(2_000, len(rows) // 2))  # for the promotion
    decide.promote(Settings.read(), "flights", LIVE, by=BY, why="the first model")
    with serving(place.root, place.storage) as server:
        async with gnomon.AsyncClient(server.url, control_token=place.token, by=BY) as client:
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
        calm = await one_by_one(stage, rows[:CALM], step)
        busy = await send(stage.url, rows[CALM:], step)
    telling.claim(
        not busy.failures and dict(busy.artifacts) == {LIVE: len(rows) - CALM},
        f"{len(rows):,} requests sent, {CALM + busy.answered:,} answered by {LIVE}, "
        f"{len(busy.failures)} failed",
    )
    telling.say(
        f"One by one, half of {CALM} were answered within {calm:.0f} ms. With {AT_ONCE} in flight "
        f"it was {busy.answered / busy.seconds:,.0f} a second, half within "
        f"{busy.within(0.5):.0f} ms, 99% within {busy.within(0.99):.0f} ms."
    )
    with telling.waiting("the shadows catch up"):
        await catch_up(client, len(rows))


async def one_by_one(stage: Stage, rows: Rows, each: Callable[[], None]) -> float:
    """Send each flight when the shadows have scored the one before; the median milliseconds."""
    times = []
    for count, row in enumerate(rows, start=1):
        began = time.perf_counter()
        await stage.client.predict(row)
        times.append((time.perf_counter() - began) * 1000)
        await catch_up(stage.client, count)
        each()
    return median(times)


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
        await asyncio.sleep(0.05)


async def live_against_shadow(stage: Stage) -> None:
    """Part 1: how the candidates differ from live, and how long each takes."""
    telling = stage.telling
    telling.heading("1. Live against shadow")
    status = await stage.client.status()
    columns = [["live", LIVE.partition(":")[2], *[""] * 5, batch_time(status.live)]]
    for shadow in status.shadows:
        found = difference(shadow.artifact)
        telling.claim(
            shadow.failed == 0 and shadow.scored == shadow.compared == found.rows,
            f"{shadow.artifact} scored all {shadow.scored:,} rows that live answered",
        )
        columns.append(
            [
                "shadow",
                shadow.artifact.partition(":")[2],
                f"{1 - (shadow.disagreement or 0):.1%}",
                f"{found.same_label:.1%}",
                f"{shadow.flips or 0:.1%}",
                f"{found.mean:.3f}",
                f"{found.high:.3f}",
                batch_time(shadow),
            ]
        )
    telling.table(COMPARED, columns)
    telling.say(
        "A row agrees when its label is the same and its probability within 0.2; it flips when the "
        "decision at 0.3 does (shadow/policy.toml). The second candidate is a little further away. "
        "Models differ: from here nobody can tell a better one from a broken one."
    )


COMPARED = (
    "",
    "",
    "agree with live",
    "same label",
    "decision flips",
    "probability, mean change",
    "99% change by at most",
    "time a batch, p50 / p99",
)


def batch_time(of: Live | ShadowStatus | None) -> str:
    """How long a worker takes for a batch."""
    if of is None or of.latency_ms is None:
        return ""
    return f"{of.latency_ms.p50:.0f} / {of.latency_ms.p99:.0f} ms"


def online_against_offline(stage: Stage, rows: int) -> None:
    """Part 2: the healthy candidate said online what training said offline."""
    stage.telling.heading("2. Shadow online against offline predictions of the same artifact")
    report = compare(stage, CANDIDATE, "match", expect=0)
    stage.telling.claim(
        report.verdict == "ok" and report.coverage.compared == rows and not report.divergence.rows,
        f"all {rows:,} rows match, {report.exact:,} of them to the bit; the tolerance is 1e-12, or "
        "1e-9 of the value",
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
    telling.heading("4. Promote the healthy candidate, and roll back, while requests come in")
    stage.gnomon("promote", CANDIDATE, "--check")
    queue, done = iter(rows), 0
    with telling.counting(len(rows), "requests") as step:

        def each() -> None:
            nonlocal done
            done += 1
            step()

        async def go_on() -> None:
            enough = done + BETWEEN
            while done < min(enough, len(rows)):
                await asyncio.sleep(0.01)

        traffic = asyncio.create_task(send(stage.url, queue, each, at_once=4))
        await go_on()
        await client.promote(CANDIDATE, why="it said online what it said offline")
        await go_on()
        await client.rollback(why="to show that it can be undone")
        await go_on()
        rest = await send(stage.url, queue, each)
        sent = await traffic
    answers, failures = sent.artifacts + rest.artifacts, [*sent.failures, *rest.failures]
    said = " and ".join(f"{count:,} by {tag}" for tag, count in answers.items())
    telling.claim(
        not failures and answers.total() == len(rows) and set(answers) == {LIVE, CANDIDATE},
        f"{len(rows):,} requests meanwhile, {len(failures)} failed: answered {said}",
    )
    stage.gnomon("history")
