"""Counts, shares, numbers and durations as readers see them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon import quantities


@given(st.floats(0, 1, allow_subnormal=False))
def test_a_share_is_0_or_100_percent_only_when_it_is(share: float) -> None:
    """Rounding never turns some rows into none or all."""
    text = quantities.percent(share)
    assert text.endswith("%")
    if 1e-12 < share < 1 - 1e-12:
        assert float(text[:-1]) not in (0.0, 100.0)
    if share in (0.0, 1.0):
        assert text == f"{share:.0%}"


def test_differences_carry_their_sign() -> None:
    """Plus, a true minus, and nothing for zero."""
    minus = "\N{MINUS SIGN}"
    assert [quantities.signed(x) for x in (4.0, -0.25, 0.0)] == ["+4", f"{minus}0.25", "0"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 second"),
        (300, "5 minutes"),
        (3_600, "1 hour"),
        (86_450, "1 day"),
        (190_800, "2.21 days"),
        (604_800, "7 days"),
        (999.7 * 86_400, "1,000 days"),
    ],
)
def test_durations_use_the_largest_unit(seconds: float, text: str) -> None:
    """They are written as people say them, to three digits."""
    assert quantities.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_200, "2 h"),
        (172_799, "48 h"),
        (1e6, "12 days"),
    ],
)
def test_rough_durations_are_whole_numbers(seconds: float, text: str) -> None:
    """The unit is the largest of which there are at least two."""
    assert quantities.rough_duration(seconds) == text


def test_shares_beside_each_other_have_the_decimals_they_need() -> None:
    """Zeros at the end say nothing; 0% and 100% are exact."""
    shares = (0.0, 0.0443, 0.1, 0.0000004, 0.99996, 1.0)
    assert [quantities.percent(share, 2) for share in shares] == [
        *("0%", "4.43%", "10%", "0.00004%", "99.996%", "100%")
    ]
