"""What a side lost of its numbers and labels is described; none of it is confirmed as a cause."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.skew.diagnosis.cases import explained, why

RNG = np.random.default_rng(31)
N = 500
VALUES = RNG.gamma(4, 12, N)
SIGNED = RNG.normal(0, 1, N)
COUNTS = RNG.integers(1, 900, N).astype(float)
LABELS = np.array(["AA", "DL", "UA", "B6", "WN"])[RNG.integers(0, 5, N)].tolist()


def described(left: Any, right: Any) -> tuple[str, str]:
    """The name and the text of the only thing that is found, which is no cause."""
    (found,) = explained(left, right).found
    assert not found.is_confirmed
    assert found.is_everywhere
    return found.proposal.cause, found.proposal.finding


def test_a_lost_sign_is_no_change_of_unit() -> None:
    """Only negative numbers change, which "the opposite sign" does not say."""
    name, text = described(np.abs(SIGNED), SIGNED)
    assert name == "absolute values"
    assert "is never negative on the online side" in text


@pytest.mark.parametrize(
    ("left", "width"),
    [(COUNTS % 256, "256"), ((COUNTS + 128) % 256 - 128, "256"), (COUNTS % 100, "100")],
)
def test_an_overflow_keeps_within_its_range(left: Any, width: str) -> None:
    """No constant offset: how much is lost depends on the number."""
    name, text = described(left, COUNTS)
    assert name == "overflow"
    assert f"multiples of {width}" in text


def test_a_clock_of_twelve_hours() -> None:
    """The hours after noon are 12 lower, the others agree."""
    hours = RNG.integers(0, 24, N).astype(float)
    name, text = described(np.where(hours > 12, hours - 12, hours), hours)
    assert name == "overflow"
    assert "multiples of 12" in text


@pytest.mark.parametrize(("default", "what"), [(0.0, "is 0"), (np.nan, "is null")])
def test_values_below_a_bound_that_are_emptied(default: float, what: str) -> None:
    """A limit of detection is no look-up that fails: that would not depend on the value."""
    name, text = described(np.where(VALUES < 25, default, VALUES), VALUES)
    assert name == "empty beyond a bound"
    assert f"{what} on the online side wherever offline is at most 24." in text
    lost = RNG.random(N) < 0.3
    assert why(np.where(lost, default, VALUES), VALUES) == ["missing feature"]


def test_a_flag_that_is_always_off() -> None:
    """One value on every row, of two."""
    name, text = described(np.zeros(N), (VALUES > 40).astype(float))
    assert name == "constant value"
    assert "is 0 on every row on the online side" in text


def test_labels_with_other_names() -> None:
    """All of them, or one: each is always called the same."""
    full = {"AA": "American", "DL": "Delta", "UA": "United", "B6": "JetBlue", "WN": "Southwest"}
    name, text = described([full[label] for label in LABELS], LABELS)
    assert name == "renamed labels"
    assert "JetBlue where it is B6" in text or "and others" in text
    name, text = described(["VX" if label == "B6" else label for label in LABELS], LABELS)
    assert (name, "VX where it is B6" in text) == ("renamed labels", True)


def test_labels_of_other_rows_are_not_renamed() -> None:
    """Nothing is found where a label may be any other."""
    assert explained(RNG.permutation(LABELS).tolist(), LABELS).found == ()
