"""The table of units, and which unit a scale factor suggests."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.contract.check.units import (
    CONVERSIONS,
    SHIFTS,
    UNITS,
    Conversion,
    Trained,
    suspect_unit,
)


def trips(rows: int, seed: int) -> np.ndarray:
    """Lengths of many sizes."""
    return np.random.default_rng(seed).lognormal(0, 1, rows)


def in_training() -> Trained:
    """The bins of a training profile of such lengths."""
    values = trips(20_000, 0)
    edges = np.quantile(values, np.linspace(0, 1, 21)[1:-1])
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=20)
    return Trained.of(edges, counts.astype(float), values.min(), values.max())


@pytest.mark.parametrize("one", CONVERSIONS, ids=str)
def test_every_unit_is_told_from_every_other(one: Conversion) -> None:
    """Each unit is named, in both directions."""
    served = trips(4096, 1) * one.factor + one.offset
    assert suspect_unit(served, in_training()) == one


@pytest.mark.parametrize("drift", [0.5, 0.7, 1.0, 1.2, 2.0, 3.0, 5.0])
def test_another_scale_is_no_other_unit(drift: float) -> None:
    """Values that doubled have grown: no pair of units in the table differs by a factor of two."""
    assert suspect_unit(trips(4096, 2) * drift, in_training()) is None


def test_a_large_factor_is_seen_through_drift() -> None:
    """A factor of 100 is not growth, so not all quantiles have to match.

    A small factor may be drift.
    """
    drifted = trips(4096, 3) * 1.1
    assert str(suspect_unit(drifted * 100, in_training())) == "x 100 (a factor of 100)"
    assert suspect_unit(drifted * 1.609344, in_training()) is None


@pytest.mark.parametrize(
    ("units", "factor"),
    [
        ("centimetres and inches", 2.54),
        ("metres and feet", 1 / 0.3048),
        ("kilograms and pounds", 1 / 0.45359237),
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
    """Both ways of every pair are looked for."""
    values = np.array([-3.0, 0.5, 1e4])
    for conversion in CONVERSIONS:
        there = conversion.inverse.undo(conversion.undo(values))
        np.testing.assert_allclose(there, values, rtol=1e-12, atol=1e-9)
    assert len(CONVERSIONS) == 2 * (len(UNITS) + len(SHIFTS))
    assert str(Conversion("Celsius and Fahrenheit", 1.8, 32.0)) == (
        "x 1.8 +32 (Celsius and Fahrenheit)"
    )
