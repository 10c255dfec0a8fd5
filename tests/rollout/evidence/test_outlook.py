"""When the missing rows are expected, in words."""

from __future__ import annotations

import pytest

from gnomon.log import InferenceLog
from gnomon.rollout.evidence.outlook import Traffic, in_words, live_traffic, more_rows
from gnomon.settings import Settings
from tests.shadow.evidence import LIVE, log_live


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "in about 1 s"),
        (42.0, "in about 42 s"),
        (185.0, "in about 3 min"),
        (3 * 3_600.0, "in about 3 h"),
        (10 * 86_400.0, "in about 10 days"),
        (1e12, "in over a year"),
    ],
)
def test_durations_are_in_the_unit_that_a_person_would_use(seconds: float, words: str) -> None:
    """Rounded: it is an estimate."""
    assert in_words(seconds) == words


@pytest.mark.parametrize(
    ("scored", "rate"),
    [(1_200, "2 a second"), (1, "6 an hour"), (20, "2 a minute"), (600_000, "1,000 a second")],
)
def test_a_rate_is_in_the_unit_that_a_person_would_use(scored: int, rate: str) -> None:
    """One row in ten minutes is six an hour."""
    traffic = Traffic(seconds=600.0, answered=scored, scored=scored)
    assert f"at the current {rate}" in more_rows(1_000_000, "rows", traffic).says


def test_what_is_no_shadow_yet_is_told_by_the_rate_of_live(settings: Settings) -> None:
    """The rate of the rows that live answered in the last ten minutes; unknown without a log."""
    assert live_traffic(InferenceLog(settings, "toy"), LIVE) is None
    log_live(settings, 60)
    traffic = live_traffic(InferenceLog(settings, "toy"), LIVE)
    assert traffic is not None
    assert traffic.rate == pytest.approx(0.1)
