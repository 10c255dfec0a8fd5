"""The table of units, and what is read off it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gnomon.preprocessing.units import CONVERSIONS, LEAST, SHIFTS, UNITS, Conversion


@pytest.mark.parametrize(
    ("units", "factor"),
    [
        ("centimetres and inches", 2.54),
        ("metres and feet", 1 / 0.3048),
        ("kilograms and pounds", 1 / 0.45359237),
        ("degrees and radians", 180 / math.pi),
        ("a factor of 1,000", 1000.0),
    ],
)
def test_factors_are_those_of_the_standard(units: str, factor: float) -> None:
    """NIST SP 811."""
    assert UNITS[units] == factor


def test_freezing_is_the_same_in_all_units() -> None:
    """0 degrees Celsius, 32 Fahrenheit, 273.15 Kelvin."""
    x, y = SHIFTS["Celsius and Fahrenheit"]
    assert x * 0 + y == 32
    x, y = SHIFTS["Celsius and Kelvin"]
    assert x * 0 + y == 273.15
    x, y = SHIFTS["Fahrenheit and Kelvin"]
    assert x * 273.15 + y == pytest.approx(32)


def test_a_conversion_and_its_inverse_undo_each_other() -> None:
    """Both ways of every pair are looked for, but for scales that look like drift."""
    values = np.array([-3.0, 0.5, 1e4])
    for one in CONVERSIONS:
        there = one.inverse.undo(one.undo(values))
        np.testing.assert_allclose(there, values, rtol=1e-12, atol=1e-9)
        assert one.offset or max(one.factor, 1 / one.factor) >= LEAST
    assert str(Conversion("Celsius and Fahrenheit", 1.8, 32.0)) == (
        "x 1.8 +32 (Celsius and Fahrenheit)"
    )
