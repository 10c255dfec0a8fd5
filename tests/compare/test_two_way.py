from __future__ import annotations

import numpy as np
import pytest

from gnomon.compare.two_way import combined_evidence


def test_units_that_tell_no_less_than_rows_change_nothing() -> None:
    """If rows are independent, entities and blocks have the evidence of the rows."""
    assert float(combined_evidence([3.0, 3.0], 3.0)) == pytest.approx(3)
    assert float(combined_evidence([3.0, 2.0], 3.0)) == pytest.approx(2)


def test_two_causes_add_up() -> None:
    """If both repeat rows much, the evidence is half of each: the variance is the sum."""
    assert float(combined_evidence([4.0, 4.0], 1e6)) == pytest.approx(2, rel=1e-3)


def test_it_is_never_more_than_the_least() -> None:
    """Even where the rows alone would say less than the units, as chance may have it."""
    assert float(combined_evidence([5.0, 4.0], 1.0)) == pytest.approx(4)
    assert float(combined_evidence([5.0, -1.0], 5.0)) == 0


def test_many_samples_are_combined_at_once() -> None:
    """Each with its own evidence."""
    found = combined_evidence([np.array([4.0, 0.0]), np.array([4.0, 9.0])], np.array([4.0, 9.0]))
    assert found.tolist() == pytest.approx([4, 0])
