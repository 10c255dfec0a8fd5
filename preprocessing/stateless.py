"""What the transformers of this package share: they learn nothing from the rows they see."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin


class Stateless(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer whose answer for a row depends on that row and its parameters alone.

    Subclasses name their ``outputs`` and turn a frame into one float64 column for each.
    """

    outputs: ClassVar[tuple[str, ...]]

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:  # noqa: N803
        """Learn nothing."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the columns, whatever came in."""
        return np.asarray(self.outputs, dtype=object)
