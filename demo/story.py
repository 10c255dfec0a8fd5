"""The demo's story, from training to the rollout history."""

from __future__ import annotations

import gnomon
from demo.april import serve_april
from demo.landings import judge_by_labels
from demo.offline import online_against_offline, skewed_code
from demo.output import DemoOutput
from demo.place import Place
from demo.promotion import promote_and_roll_back
from demo.shadows import live_against_shadow
from demo.stage import CANDIDATE, LIVE, RELEASE, SKEWED, Stage
from gnomon.testing import serving
from models.data import flights, records

__all__ = ["tell"]

BY = "the demo"


async def tell(output: DemoOutput, place: Place, most: int | None) -> None:
    """The whole story.

    Args:
        output: where it is written.
        place: where everything is kept.
        most: send this many flights; all of April without it.

    Raises:
        DemoFailed: something it claims is not so.
    """
    train(output, place)
    april = flights(4)[:most]
    rows = list(records(april))
    later = max(len(rows) // 4, min(2_000, len(rows) // 2))
    first, last = rows[:-later], rows[-later:]
    gnomon.promote(LIVE, by=BY, why="the first model")
    with serving(place.root, place.storage) as server:
        async with gnomon.AsyncClient(server.url, control_token=place.token, by=BY) as client:
            stage = Stage(output, place, server.url, client)
            await serve_april(stage, first)
            await live_against_shadow(stage)
            online_against_offline(stage, len(first))
            skewed_code(stage, len(first))
            landed = april[: len(first)].dropna(subset="outcome")
            await judge_by_labels(stage, landed[["flight_id", "time_hour", "outcome"]])
            await promote_and_roll_back(stage, last)
    output.heading("Look around")
    output.say(f"The report of the skew: {place.shown(place.reports / 'skew.html')}")
    output.say("The server is stopped. To continue with its log and its history: make serve")


def train(output: DemoOutput, place: Place) -> None:
    """Pack three artifacts and write the offline tables."""
    output.heading("Train on January to March 2013, predict April offline")
    with output.waiting("training and packing two models"):
        said = place.python("models.train", "--release", RELEASE, "--offline", str(place.offline))
    with output.waiting("packing the second candidate"):
        version = SKEWED.partition(":")[2]
        folder = str(place.folder / "skewed")
        said += place.python("models.skew", CANDIDATE, "--version", version, "--folder", folder)
    for line in said.splitlines():
        output.say(line)
