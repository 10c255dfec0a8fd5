"""Probabilities corrected on labelled rows."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.estimates.calibration import Calibration, calibrate_out_of_fold


def test_probabilities_become_the_shares_that_labels_have() -> None:
    """A model says 0.9 where seven in ten are yes."""
    random = np.random.default_rng(3)
    given = np.repeat([0.1, 0.9], 2_000)
    codes = (random.random(4_000) < np.repeat([0.3, 0.7], 2_000)).astype(np.int64)
    corrected = Calibration.fit(np.column_stack([1 - given, given]), codes)
    found = corrected(np.array([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5], [np.nan, np.nan]]))
    assert found[:3, 1] == pytest.approx([0.3, 0.7, 0.5], abs=0.03)
    assert np.isnan(found[3]).all()
    assert found[:3].sum(axis=1) == pytest.approx(1.0)


def test_three_classes_add_up_to_one() -> None:
    """Each is corrected against the rest, then all are divided by their sum."""
    random = np.random.default_rng(3)
    true = random.dirichlet([1.0, 1.0, 1.0], 3_000)
    codes = np.array([random.choice(3, p=row) for row in true])
    given = true**2 / (true**2).sum(axis=1, keepdims=True)
    found = Calibration.fit(given, codes)(given)
    assert found.sum(axis=1) == pytest.approx(1.0)
    assert np.abs(found - true).mean() < np.abs(given - true).mean() / 1.5


def test_a_row_that_no_curve_knows_keeps_its_probabilities() -> None:
    """Where each class against the rest is corrected to 0."""
    given = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    corrected = Calibration.fit(given, np.arange(3))
    assert corrected(np.array([[0.1, 0.1, 0.1]])).tolist() == [[0.1, 0.1, 0.1]]


def test_a_row_is_corrected_by_the_labels_of_other_entities() -> None:
    """Each of five entities has labels of its own: a curve that saw them would repeat them."""
    units = np.repeat(np.arange(5), 20)
    given = np.column_stack([np.full(100, 0.5)] * 2)
    codes = (units == 0).astype(np.int64)
    found = calibrate_out_of_fold(given, codes, units)
    assert found[units == 0, 1] == pytest.approx(0.0)
    assert found[units != 0, 1] == pytest.approx(0.25)
