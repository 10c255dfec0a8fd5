"""The replaced parts of numpy behave as expected."""

from __future__ import annotations

import numpy as np

from gnomon.compat.numpy import seeded_generators


def test_generators_without_a_seed_get_one() -> None:
    """Others keep theirs, and afterwards everything is as it was."""
    before = np.random.default_rng
    with seeded_generators(7):
        assert np.random.default_rng().random() == before(7).random(), (
            "numpy makes generators otherwise: unseeded draws cannot be fixed in a diagnosis; see "
            "gnomon.compat.numpy.seeded_generators"
        )
        assert np.random.default_rng(3).random() == before(3).random()
    assert np.random.default_rng is before
