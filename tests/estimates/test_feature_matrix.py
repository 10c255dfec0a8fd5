"""Features as numbers for a model of losses."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from gnomon.estimates.feature_matrix import FeatureMatrix
from gnomon.rollout.quality.question import Answers
from tests.estimates.served import CLASSIFIER


def test_texts_are_codes_and_the_entity_key_is_left_out() -> None:
    """A text that was not there before, and a null, are missing."""
    before = pa.table({"x": [1.0, 2.0], "town": ["Bern", "Oslo"], "customer": ["a", "b"]})
    matrix = FeatureMatrix.fit(CLASSIFIER, before)
    now = pa.table(
        {"x": [3.0, None, 5.0], "town": ["Oslo", "Rome", None], "customer": ["c", "d", "e"]}
    )
    answers = Answers(np.array([1, 0, 1]), score=np.array([0.5, 0.25, 0.75]))
    found = matrix.of(now, answers)
    assert matrix.categorical(found.shape[1]) == [True, False, False, False]
    np.testing.assert_array_equal(
        found, [[1, 3, 1, 0.5], [np.nan, np.nan, 0, 0.25], [np.nan, 5, 1, 0.75]]
    )


def test_features_without_text_are_numbers_alone() -> None:
    """There is nothing to encode."""
    matrix = FeatureMatrix.fit(CLASSIFIER, pa.table({"x": [1.0]}))
    assert matrix.of(pa.table({"x": [2.0]}), Answers(np.array([0]))).tolist() == [[2.0, 0.0]]
