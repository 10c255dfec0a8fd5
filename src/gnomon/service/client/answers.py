"""What a client gets for records: predictions, rows with their errors, and frames of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OutputTarget", "Prediction", "Predictions", "Row", "RowError"]


class OutputTarget(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one target.

    Attributes:
        prediction: the label, or the number.
        probabilities: by class label, if the model has them.
        score: the row's score, if the model gives one score instead of probabilities.
        scores: by class label, if the model gives several scores instead.
    """

    prediction: Any = None
    probabilities: dict[str, float] = {}
    score: float | None = None
    scores: dict[str, float] = {}


class Prediction(OutputTarget, frozen=True, kw_only=True):
    """The answer to one record.

    Attributes:
        request_id: the request's name in the inference log.
        artifact: the tag of the artifact that answered.
        prediction: the label, or the number.
        probabilities: by class label, if the model has them.
        score: the row's score, if the model gives one score instead of probabilities.
        scores: by class label, if the model gives several scores instead.
        targets: the answer for each target by name, if the model has several targets.
        values: the row's value in each column, if the model is a transformer.
    """

    request_id: str
    artifact: str
    targets: dict[str, OutputTarget] = {}
    values: dict[str, Any] = {}

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas frame of one row; see :meth:`Predictions.to_frame`."""
        return _frame([self])

    def to_pandas(self) -> pd.DataFrame:
        """Return the same as :meth:`to_frame`, under the name that it has for Arrow tables."""
        return self.to_frame()


class RowError(msgspec.Struct, frozen=True, kw_only=True):
    """Why one row of many has no prediction."""

    code: str
    message: str
    where: str | None = None
    hint: str | None = None


class Row(OutputTarget, frozen=True, kw_only=True):
    """One row of an answer to many: the fields of a :class:`Prediction`, or the row's error.

    Attributes:
        error: why the row has no prediction: ``code``, ``message``, ``where`` and ``hint``; None
            if it has one.
    """

    targets: dict[str, OutputTarget] = {}
    values: dict[str, Any] = {}
    error: RowError | None = None


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to many records, in their order; iterates over its rows.

    Attributes:
        request_id: the request's name in the inference log.
        artifact: the tag of the artifact that answered.
        rows: the answer to each record.
    """

    request_id: str
    artifact: str
    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[index]

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas frame with one row per record, in their order.

        Its columns are named as in the inference log: ``prediction``, ``probability_<class>``,
        ``score``, ``prediction_<target>`` and so on. If rows failed, there is also ``error``.
        """
        return _frame(self.rows)

    def to_pandas(self) -> pd.DataFrame:
        """Return the same as :meth:`to_frame`, under the name that it has for Arrow tables."""
        return self.to_frame()


def _frame(rows: Sequence[Prediction | Row]) -> pd.DataFrame:
    import pandas as pd

    flat = [_flat(row) for row in rows]
    names = dict.fromkeys(name for row in flat for name in row)
    return pd.DataFrame.from_records(flat, columns=[*names])


def _flat(row: Prediction | Row) -> dict[str, Any]:
    """Return one row's answers by column."""
    columns = dict(row.values) | _flat_target(row, "")
    for name, target in row.targets.items():
        columns |= _flat_target(target, f"_{name}")
    if isinstance(row, Row) and row.error is not None:
        columns["error"] = row.error.message
    return columns


def _flat_target(target: OutputTarget, suffix: str) -> dict[str, Any]:
    single = {"prediction": target.prediction, "score": target.score}
    columns = {f"{name}{suffix}": value for name, value in single.items() if value is not None}
    for kind, by_class in (("probability", target.probabilities), ("score", target.scores)):
        columns |= {f"{kind}{suffix}_{label}": value for label, value in by_class.items()}
    return columns
