"""The features and the answer of rows as one matrix of numbers, for a model of losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.preprocessing import OrdinalEncoder

from gnomon.artifact.profile import as_numbers
from gnomon.contract import Contract
from gnomon.offline.paired_rows import one_piece
from gnomon.rollout.quality.question import Answers

__all__ = ["FeatureMatrix"]

Floats = npt.NDArray[np.float64]

_MOST_CATEGORIES = 250
"""The boosting has 255 bins; rarer values of a feature share one."""


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """Reads features as numbers; text as codes, of which those not seen before are missing.

    Attributes:
        numbers: features that are numbers or times.
        texts: all others.
        codes: the encoder of the texts; None without texts.
    """

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    codes: Any = None

    @classmethod
    def fit(cls, contract: Contract, inputs: pa.Table) -> FeatureMatrix:
        """Learn the values of texts.

        The entity key and the event time are left out: a model would only remember them.
        """
        without = {*contract.entity_key, contract.event_time}
        names = [name for name in inputs.column_names if name not in without]
        numbers = tuple(
            name for name in names if as_numbers(one_piece(inputs.column(name))) is not None
        )
        texts = tuple(name for name in names if name not in numbers)
        codes = None
        if texts:
            codes = OrdinalEncoder(
                max_categories=_MOST_CATEGORIES,
                handle_unknown="use_encoded_value",
                unknown_value=np.nan,
                encoded_missing_value=np.nan,
            ).fit(_texts(inputs, texts))
        return cls(numbers, texts, codes)

    def of(self, inputs: pa.Table, answers: Answers) -> Floats:
        """Return a row for each row: codes of texts, numbers, then the answer."""
        columns: list[Floats] = []
        if self.codes is not None:
            columns.append(self.codes.transform(_texts(inputs, self.texts)).astype(np.float64))
        decided = answers.decided.astype(np.float64)
        others = [_numbers(inputs, name) for name in self.numbers]
        others += [decided, answers.numbers, answers.score]
        return np.column_stack(columns + [column for column in others if column is not None])

    def categorical(self, columns: int) -> list[bool]:
        """Return which of so many columns are codes."""
        return [place < len(self.texts) for place in range(columns)]


def _numbers(inputs: pa.Table, name: str) -> Floats | None:
    """Return a feature as numbers; None if it is none."""
    return as_numbers(one_piece(inputs.column(name)))


def _texts(inputs: pa.Table, names: Sequence[str]) -> npt.NDArray[np.object_]:
    """Return text columns, shape (n, names); None where null."""
    columns = [pc.cast(inputs.column(name), pa.string()).to_numpy() for name in names]
    return np.array(columns, dtype=object).T
