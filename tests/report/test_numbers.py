import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.report import numbers


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


def test_times_are_utc_with_no_more_detail_than_they_have() -> None:
    """A day's bucket has no clock time; another zone is converted."""
    at = "2013-04-01T23:30:00-04:00"
    assert numbers.utc_time(at, 86_400) == "2013-04-02"
    assert numbers.utc_time(at, 3_600) == "2013-04-02 03:30"
    assert numbers.utc_time(at) == "2013-04-02 03:30:00"
