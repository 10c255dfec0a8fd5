import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.report import numbers


@given(st.floats(0, 1, allow_subnormal=False))
def test_a_share_is_0_or_100_percent_only_when_it_is(share: float) -> None:
    """Rounding never turns some rows into none or all."""
    text = numbers.percent(share)
    assert text.endswith("%")
    if 1e-12 < share < 1 - 1e-12:
        assert float(text[:-1]) not in (0.0, 100.0)
    if share in (0.0, 1.0):
        assert text == f"{share:.0%}"


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_values_that_differ_never_read_the_same(left: float, right: float) -> None:
    """Side by side, two numbers are written alike only when they are equal."""
    one, other = numbers.pair(left, right)
    assert (one == other) == (left == right)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (28330.0, "28,330"),
        (0.1, "0.1"),
        (1.5e-9, "1.5e-9"),
        (float("nan"), "nan"),
        ("late", "late"),
    ],
)
def test_values_read_as_people_write_them(value: object, text: str) -> None:
    """Null, booleans, thousands and small numbers."""
    assert numbers.value(value) == text  # type: ignore[arg-type]


def test_differences_carry_their_sign() -> None:
    """Plus, a true minus, and nothing for zero."""
    minus = "\N{MINUS SIGN}"
    assert [numbers.signed(x) for x in (4.0, -0.25, 0.0)] == ["+4", f"{minus}0.25", "0"]


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
    """As people say them, to three digits."""
    assert numbers.duration(seconds) == text


def test_times_are_utc_with_no_more_detail_than_they_have() -> None:
    """A day's bucket has no clock time; another zone is converted."""
    at = "2013-04-01T23:30:00-04:00"
    assert numbers.utc_time(at, 86_400) == "2013-04-02"
    assert numbers.utc_time(at, 3_600) == "2013-04-02 03:30"
    assert numbers.utc_time(at) == "2013-04-02 03:30:00"
