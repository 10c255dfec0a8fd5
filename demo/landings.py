"""Part 4: the flights land, and their labels decide what agreement cannot."""

from __future__ import annotations

import pandas as pd

import gnomon
from demo.stage import CANDIDATE, SKEWED, Stage

__all__ = ["judge_by_labels"]

ONE_BY_ONE = 200
"""So many labels are sent as the planes land; the others come as a file."""

SOURCE = "landing"


async def judge_by_labels(stage: Stage, landed: pd.DataFrame) -> None:
    """Send the labels, first some and then all, and evaluate the gates after each.

    Args:
        stage: what every part needs.
        landed: the flights that were served and did arrive: ``flight_id``, ``time_hour``,
            ``outcome``.
    """
    output = stage.output
    output.heading("4. The flights land: labels decide what agreement cannot")
    first = landed[:ONE_BY_ONE]
    for flight in first.to_dict("records"):
        await stage.client.label(
            {
                "entity": {"flight_id": flight["flight_id"]},
                "event_time": flight["time_hour"],
                "value": flight["outcome"],
                "source": SOURCE,
            }
        )
    output.say(f"{len(first):,} planes have landed. The gate of quality waits for more:")
    stage.gnomon("promote", CANDIDATE, "--check", expect=1)
    file = stage.place.folder / "landings.csv"
    landed.to_csv(file, index=False)
    output.say("All have landed. The labels that were sent already do no harm:")
    shown = stage.place.shown(file)
    stage.gnomon("labels", "import", shown, "--column", "value=outcome", "--source", SOURCE)
    stage.gnomon("labels", "status")
    stage.gnomon("quality", CANDIDATE)
    claim_quality(stage, len(landed))
    output.say("The candidate whose hours are in UTC fails:")
    stage.gnomon("promote", SKEWED, "--check", expect=1)
    output.say("The healthy one passes:")
    stage.gnomon("promote", CANDIDATE, "--check")


def claim_quality(stage: Stage, rows: int) -> None:
    """Claim that every label found its answer, and that the candidate's error is smaller."""
    quality = gnomon.measure_quality(CANDIDATE).shadows[0]
    brier = next(metric for metric in quality.metrics if metric.metric == "brier")
    stage.output.claim(
        brier.rows == rows, f"each of {rows:,} labels found the answers that it is about"
    )
    low, high = brier.interval
    stage.output.claim(
        high < 0,
        f"the candidate's Brier score is lower than live's, by {-high:.4f} to {-low:.4f}",
    )
