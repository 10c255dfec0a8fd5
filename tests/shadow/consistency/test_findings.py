import pytest

from gnomon.shadow.consistency.findings import judge
from gnomon.shadow.report import share


@pytest.mark.parametrize(
    ("bad", "compared", "answered", "limit", "verdict"),
    [
        (0, 1_000, 1_000, 0.0, "ok"),
        (1, 1_000, 1_000, 0.0, "diverged"),
        (10, 1_000, 1_000, 0.01, "ok"),
        (11, 1_000, 1_000, 0.01, "diverged"),
        (0, 12, 12, 0.0, "ok"),  # all there is
        (0, 12, 1_000, 0.0, "unknown"),  # a few of many
        (0, 900, 1_000, 0.0, "ok"),  # many of many
        (1, 12, 1_000, 0.0, "diverged"),  # one counterexample is enough
        (0, 0, 1_000, 0.0, "unknown"),
        (0, 0, 0, 0.0, "unknown"),
    ],
)
def test_the_verdict_rests_on_rows_and_coverage(
    bad: int, compared: int, answered: int, limit: float, verdict: str
) -> None:
    """Beyond the limit is diverged; agreement needs all the rows or enough of them."""
    divergence = share(bad, compared, 0.95)
    assert judge(divergence, answered, limit, coverage=0.99, fewest=500) == verdict
