"""The ``X`` given to packing, as a table that the pipeline accepts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from gnomon.artifact.checks.unused_columns import ROWS_ASKED, answers, same_answers, without_unused
from gnomon.contract.training_table import Carry, TrainingTable, training_table
from gnomon.errors import ContractError, PackRefused
from gnomon.name_lists import listed

__all__ = ["as_fitted", "given_table", "other_columns"]

_SHOWN = 5


def given_table(X: Any, names: Sequence[str], carry: Carry) -> TrainingTable:  # noqa: N803
    """Return the rows as a table.

    Raises:
        PackRefused: their type is unknown; the hint has the line that makes a frame of them.
    """
    try:
        return training_table(X, names, carry)
    except ContractError as error:
        raise PackRefused(error.message, where=error.where, hint=error.hint) from None


def as_fitted(
    pipeline: Any, table: TrainingTable, stacklevel: int, kept: Collection[str] = ()
) -> TrainingTable:
    """The table as the pipeline takes it: as an array, if it was fitted on one; and without the
    columns that it does not read, but for those to be kept.

    Warns:
        UnusedColumnWarning: a column is left out.

    Raises:
        PackRefused: the columns have no names, but the pipeline was fitted on named ones.
    """
    if table.input == "array" and hasattr(pipeline, "feature_names_in_"):
        raise PackRefused(
            "the pipeline was fitted on columns with names, and X has none: in another order, the "
            "columns would be mixed up",
            hint="pass the frame it was fitted on; if the order is the same: "
            "X = pd.DataFrame(X, columns=pipeline.feature_names_in_)",
        )
    if table.input != "frame":
        return table
    table = without_unused(pipeline, table, kept, stacklevel + 1)
    return table._replace(input="array") if _was_fitted_on_array(pipeline, table) else table


def other_columns(pipeline: Any, table: TrainingTable) -> PackRefused | None:
    """Return the refusal of a frame whose columns differ from those the pipeline was fitted on."""
    if table.input != "frame" or not hasattr(pipeline, "feature_names_in_"):
        return None
    fitted = list(pipeline.feature_names_in_)
    given = [name for name in table.frame.columns if name not in table.carried]
    select = "X = X[list(pipeline.feature_names_in_)]"
    if missing := [name for name in fitted if name not in given]:
        return PackRefused(
            f"X lacks columns that the pipeline was fitted on: {listed(missing, _SHOWN, '`{}`')}",
            hint="pass the frame it was fitted on",
        )
    if extra := [name for name in given if name not in fitted]:
        return PackRefused(
            f"X has columns that the pipeline was not fitted on: {listed(extra, _SHOWN, '`{}`')}",
            hint="if requests have them in addition to the features, as keys, times or notes: "
            f"carry={tuple(extra)!r}; else {select}",
        )
    if fitted != given:
        return PackRefused(
            "the columns of X are in another order than when the pipeline was fitted", hint=select
        )
    return None


def _was_fitted_on_array(pipeline: Any, table: TrainingTable) -> bool:
    """Return whether the pipeline knows the number of columns but not their names.

    scikit-learn would then use the columns of a frame by position, and only warn.
    """
    columns = [name for name in table.frame.columns if name not in table.carried]
    if not all(isinstance(name, str) for name in columns) or hasattr(pipeline, "feature_names_in_"):
        return False
    if getattr(pipeline, "n_features_in_", None) != len(columns):
        return False
    frame = table.frame[columns]
    if len({str(dtype) for dtype in frame.dtypes}) != 1 or frame.dtypes.iloc[0].kind not in "biuf":
        return False
    rows = frame.iloc[:ROWS_ASKED]
    return same_answers(answers(pipeline, rows), answers(pipeline, rows.to_numpy()))
