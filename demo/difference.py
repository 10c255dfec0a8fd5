"""What the log says of a shadow against live, beyond the counts of ``gnomon status``."""

from __future__ import annotations

from dataclasses import dataclass

from gnomon.settings import Settings
from gnomon.shadow.log import InferenceLog

__all__ = ["Difference", "difference"]

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
    log = InferenceLog(Settings.read(), artifact.partition(":")[0])
    return Difference(**log.sql(QUERY.format(artifact=artifact)).to_pylist()[0])
