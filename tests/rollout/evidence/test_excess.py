"""A share of bad rows beyond the noise floor."""

from __future__ import annotations

import pytest

from gnomon.compare.sequential import Interval
from gnomon.rollout.evidence.evidence import Evidence, ShadowRows
from gnomon.rollout.evidence.excess import Excess
from gnomon.rollout.evidence.outlook import Traffic
from gnomon.rollout.evidence.share import BadShare

MANY = BadShare(1_200, 20_000)


def test_without_a_floor_it_is_the_share_itself() -> None:
    """With the whole of the allowed error."""
    excess = Excess(MANY, BadShare(0, 0))
    assert excess.value == pytest.approx(0.06)
    assert excess.interval(0.95) == MANY.interval(0.95)
    assert excess.floor == ""


def test_the_floor_is_subtracted_with_its_uncertainty() -> None:
    """Each of the two intervals has half of the allowed error."""
    noise = BadShare(100, 2_000)
    excess = Excess(MANY, noise)
    assert excess.value == pytest.approx(0.01)
    own, floor = MANY.interval(0.975), noise.interval(0.975)
    assert excess.interval(0.95) == Interval(max(own.low - floor.high, 0), own.high - floor.low)
    assert excess.floor == " beyond the noise floor of 5% of 2,000 rows"


def test_a_floor_that_is_not_measured_yet_may_be_anything() -> None:
    """So the share may be all noise; but it is no more than itself."""
    excess = Excess(MANY, BadShare(0, 0), awaited=True)
    assert excess.interval(0.95) == Interval(0.0, MANY.interval(0.975).high)
    assert excess.floor.endswith("which is not measured yet")


def test_what_is_missing_is_rows_of_the_shadow_if_these_can_decide() -> None:
    """Few good rows pass when there are more of them, whatever the floor."""
    excess = Excess(BadShare(0, 20), BadShare(0, 0), awaited=True)
    awaits = excess.awaits(0.05, 0.95, None)
    assert awaits.rows is not None
    assert awaits.says == f"needs about {awaits.rows:,} more rows compared if the share stays"
    grown = Excess(BadShare(0, 20 + awaits.rows), BadShare(0, 0), awaited=True)
    assert grown.interval(0.95).high <= 0.05


def test_what_is_missing_is_rows_of_the_floor_otherwise() -> None:
    """At the rate at which rows are scored twice, if they are."""
    traffic = Traffic(seconds=100.0, answered=20_000, scored=20_000)
    excess = Excess(BadShare(4_000, 20_000), BadShare(1, 20), awaited=True, share=0.05, seen=20)
    awaits = excess.awaits(0.05, 0.95, traffic)
    assert awaits.rows is not None
    assert awaits.seconds == pytest.approx(awaits.rows / 0.2)
    assert "more rows of live against itself, because the noise floor is not known" in awaits.says
    once = Excess(BadShare(4_000, 20_000), BadShare(1, 20)).awaits(0.05, 0.95, traffic)
    assert "gnomon shadow start --same" in once.says
    assert "`noise_floor`" in once.says


def test_rows_of_the_floor_come_with_those_of_the_shadow() -> None:
    """Held as they are, the floor's rows would need thousands of times as many of the shadow."""
    excess = Excess(BadShare(100, 1_000), BadShare(0, 138), awaited=True, share=0.138, seen=138)
    fixed = Excess(BadShare(100, 1_000), BadShare(0, 138)).awaits(0.05, 0.95, None)
    awaits = excess.awaits(0.05, 0.95, None)
    assert awaits.rows is not None
    assert fixed.rows is not None
    assert fixed.rows > 100 * awaits.rows
    more = 1 + 1.1 * awaits.rows / 1_000  # About: a tenth more decides it.
    grown = Excess(BadShare(round(100 * more), round(1_000 * more)), BadShare(0, round(138 * more)))
    assert grown.interval(0.95).low > 0.05


def test_before_the_first_row_of_the_floor_its_share_says_how_fast_they_come() -> None:
    """And where far too many should have come, the sample may hold none of the entities."""
    traffic = Traffic(seconds=100.0, answered=20_000, scored=10_000)
    few = Excess(BadShare(300, 500), BadShare(0, 0), awaited=True, share=0.01)
    awaits = few.awaits(0.05, 0.95, traffic)
    assert awaits.rows is not None
    assert awaits.seconds == pytest.approx(awaits.rows / (0.01 * 200))
    none = Excess(BadShare(4_000, 20_000), BadShare(0, 0), awaited=True, share=0.01)
    awaits = none.awaits(0.05, 0.95, traffic)
    assert "none of the 20,000 rows is one yet: if none of the next ones is" in awaits.says
    assert (awaits.rows, awaits.seconds) == (None, None)


def test_the_share_at_the_limit_is_said() -> None:
    """No number of rows decides it."""
    excess = Excess(BadShare(2_000, 20_000), BadShare(1_000, 20_000), awaited=True)
    assert "the share is at the limit" in excess.awaits(0.05, 0.95, None).says


def test_it_is_of_any_kind_of_bad_rows() -> None:
    """Disagreement and flips alike, each with its own floor."""
    shadow = ShadowRows(compared=100, disagreed=9, decided=50, flipped=3)
    noise = ShadowRows(compared=10, disagreed=2, decided=8, flipped=1)
    evidence = Evidence(shadow, noise, {}, {}, noise_awaited=True)
    flips = Excess.of(evidence, "flipped", "decided")
    assert (flips.shadow, flips.noise, flips.awaited) == (BadShare(3, 50), BadShare(1, 8), True)
