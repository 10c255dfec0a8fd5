import pytest

from gnomon.report import Count, share
from gnomon.skew.consistency.skew_summary import SkewFinding, judge


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


@pytest.mark.parametrize(("bad", "first"), [(0, "For rows known only later, "), (9, "Look at ")])
def test_rows_known_only_later_are_told_with_what_to_do(bad: int, first: str) -> None:
    """If all rows agree, that advice is the only one."""
    found = SkewFinding(
        left="online",
        right="offline",
        artifact="trips:1",
        role="live",
        replayed=None,
        verdict="diverged" if bad else "ok",
        answered=100,
        divergence=share(bad, 100, 0.95),
        exact=100 - bad,
        limit=0.0,
        differing=(),
        agreeing_features=0,
        impact=None,
        timeline=None,
        first=None,
        last=None,
        diagnosis=None,
        known_later=Count(reason="known only later", rows=12, example="trip=t3"),
    ).summary()
    assert "12 rows used a value known only later, such as trip=t3." in found.how_sure
    assert found.action.startswith(first)
    assert "give the table what was known before them" in found.action
