"""Part 1: how the candidates differ from live, and how long each takes."""

from __future__ import annotations

from dataclasses import dataclass

import gnomon
from demo.stage import LIVE, Stage

__all__ = ["live_against_shadow"]

SHOWN = (
    "",
    "",
    "agree with live",
    "same label",
    "decision flips",
    "probability, mean change",
    "99% change by at most",
    "time a batch, p50 / p99",
)

QUERY = """
SELECT
    count(*) AS rows,
    avg(abs(live.output_probability_late - shadow.output_probability_late)) AS mean,
    quantile_cont(abs(live.output_probability_late - shadow.output_probability_late), 0.99) AS high,
    avg(CAST(live.output_prediction = shadow.output_prediction AS DOUBLE)) AS same_label
FROM log AS live JOIN log AS shadow USING (request_id, "row")
WHERE live.role = 'live' AND live.outcome = 'answered'
  AND shadow.role = 'shadow' AND shadow.outcome = 'scored' AND shadow.artifact = '{artifact}'
"""


async def live_against_shadow(stage: Stage) -> None:
    """Show what ``gnomon status`` counts, and what the log says beyond it."""
    output = stage.output
    output.heading("1. Live against shadow")
    status = await stage.client.status()
    columns = [["live", version(LIVE), *[""] * 5, batch_time(status.live)]]
    for shadow in status.shadows:
        found = difference(shadow.artifact)
        output.claim(
            shadow.failed == 0 and shadow.scored == shadow.compared == found.rows,
            f"{shadow.artifact} scored all {shadow.scored:,} rows that live answered",
        )
        columns.append(
            [
                "shadow",
                version(shadow.artifact),
                f"{1 - (shadow.disagreement or 0):.1%}",
                f"{found.same_label:.1%}",
                f"{shadow.flips or 0:.1%}",
                f"{found.mean:.3f}",
                f"{found.high:.3f}",
                batch_time(shadow),
            ]
        )
    output.table(SHOWN, columns)
    output.say(
        "A row agrees when its label is the same and its probability within 0.2; it flips when the "
        "decision at 0.3 does (shadow/policy.toml). The second candidate agrees a little less. "
        "Models are expected to differ: agreement alone does not tell a better model from a broken "
        "one. Shadows have the "
        "lowest priority and read the log in larger batches."
    )


def version(tag: str) -> str:
    """Return the version of a tag."""
    return tag.partition(":")[2]


def batch_time(of: gnomon.LiveStatus | gnomon.ShadowStatus | None) -> str:
    """Return how long a worker takes for a batch."""
    if of is None or of.latency_ms is None:
        return ""
    return f"{of.latency_ms.p50:.0f} / {of.latency_ms.p99:.0f} ms"


@dataclass(frozen=True)
class Difference:
    """Live's and a shadow's probability of being late, over the rows both answered.

    Attributes:
        rows: how many.
        mean: mean absolute difference.
        high: what 99% of the rows differ by at most.
        same_label: share of rows with the same prediction.
    """

    rows: int
    mean: float
    high: float
    same_label: float


def difference(artifact: str) -> Difference:
    """Ask the log, which is one relation to SQL.

    Args:
        artifact: the shadow's tag.
    """
    log = gnomon.open_log(artifact.partition(":")[0])
    return Difference(**log.sql(QUERY.format(artifact=artifact)).to_pylist()[0])
