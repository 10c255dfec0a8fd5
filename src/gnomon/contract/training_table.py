"""The training data of a pipeline, as a frame with a column for each feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import sparse

from gnomon.contract.contract import Contract, InputKind
from gnomon.errors import ContractError
from gnomon.name_lists import as_names

__all__ = ["Carry", "TrainingTable", "as_table", "hand_over", "training_table"]

Carry: TypeAlias = "str | Sequence[str] | pd.DataFrame | pd.Series[Any]"

_TEXT = "text"


class TrainingTable(NamedTuple):
    """The rows that a pipeline was fitted on.

    Attributes:
        frame: the rows, with a column for each feature.
        input: the form in which they were given.
        carried: the columns that the pipeline was not fitted on.
    """

    frame: pd.DataFrame
    input: InputKind
    carried: tuple[str, ...] = ()

    def given(self, rows: pd.DataFrame) -> Any:
        """Return rows of the frame in the form that the pipeline was fitted on."""
        labels = [label for label in self.frame.columns if label not in self.carried]
        return hand_over(rows[labels] if self.carried else rows, self.input)


def training_table(
    X: Any,  # noqa: N803
    names: Sequence[str] = (),
    carry: Carry = (),
) -> TrainingTable:
    """Return the rows as a frame; frames and Series of polars and Arrow tables are accepted too.

    Args:
        X: a DataFrame, a Series or a list of texts, a list of dictionaries, or an array.
        names: names of an array's columns, in order; by default ``x0``, ``x1``…
        carry: columns that the pipeline was not fitted on: names of columns of ``X``, or a
            separate frame.

    Raises:
        ContractError: ``X`` has another type; the hint has a line that converts it.

    >>> training_table([[1.0, 2.0]], names=["width", "height"]).frame.columns.tolist()
    ['width', 'height']
    >>> training_table([{"a": 1}, {"b": "x"}]).input
    'records'
    """
    if isinstance(X, TrainingTable):
        return X
    table = _table(_as_pandas(X), list(names))
    if names and table.input != "array":
        raise ContractError(
            f"names are for the columns of an array, but X is a {_type_text(X)}",
            hint="rename its columns instead",
        )
    if isinstance(table.frame.columns, pd.MultiIndex):
        raise ContractError(
            "the columns have names of several levels",
            hint='X.columns = ["_".join(map(str, name)) for name in X.columns]',
        )
    if (duplicates := table.frame.columns[table.frame.columns.duplicated()]).size:
        raise ContractError(
            f"`{duplicates[0]}` is named twice among the columns of X",
            hint="give each its own name before the pipeline is fitted; if they are the same: "
            "X = X.loc[:, ~X.columns.duplicated()]",
        )
    if isinstance(carry, pd.DataFrame | pd.Series):
        return _with_carried(table, pd.DataFrame(carry))
    carry = as_names(carry)
    missing = [name for name in carry if name not in table.frame.columns]
    if missing:
        raise ContractError(
            f"X has no column `{missing[0]}` to carry",
            hint="to carry columns that are not in X, pass a frame; the columns of X are "
            + ", ".join(map(str, table.frame.columns)),
        )
    return table._replace(carried=tuple(carry))


def hand_over(frame: pd.DataFrame, kind: InputKind) -> Any:
    """Convert the pipeline's columns to the form in which it is called."""
    match kind:
        case "frame":
            return frame
        case "series":
            return frame.iloc[:, 0]
        case "array":
            # A model that was fitted on row-major memory gets it again: BLAS adds in memory order.
            return np.ascontiguousarray(frame.to_numpy())
        case "records":
            keys, columns = list(frame.columns), [column.tolist() for _, column in frame.items()]
            return [
                {key: value for key, value in zip(keys, row, strict=True) if value is not None}
                for row in zip(*columns, strict=True)
            ]


def as_table(X: Any, contract: Contract) -> pd.DataFrame:  # noqa: N803
    """Return rows like those of training as a frame; an array has the contract's column order.

    Raises:
        ContractError: as :func:`training_table`.
    """
    has_names = hasattr(X, "columns") or contract.input != "array"
    names = [] if has_names else [f.name for f in contract.features if not f.carried]
    return training_table(X, names).frame


def _with_carried(table: TrainingTable, carried: pd.DataFrame) -> TrainingTable:
    """Append carried columns after those of the pipeline."""
    if len(carried) != len(table.frame):
        raise ContractError(
            f"X has {len(table.frame)} rows, but the columns to carry {len(carried)}"
        )
    both = [name for name in carried.columns if name in table.frame.columns]
    if both:
        raise ContractError(
            f"`{both[0]}` is both a column of X and one to carry",
            hint=f'carry=("{both[0]}",) carries that of X and does not give it to the pipeline',
        )
    frame = pd.concat([table.frame.reset_index(drop=True), carried.reset_index(drop=True)], axis=1)
    return TrainingTable(frame, table.input, tuple(map(str, carried.columns)))


def _table(X: Any, names: list[str]) -> TrainingTable:  # noqa: N803
    if isinstance(X, pd.DataFrame):
        return TrainingTable(X, "frame")
    if isinstance(X, pd.Series):
        return TrainingTable(X.to_frame(_TEXT if X.name is None else X.name), "series")
    if sparse.issparse(X):
        raise ContractError(
            "X is a sparse matrix, which does not show the features it was made from",
            hint="pack the complete pipeline with its vectorizer or encoder, and the X before it; "
            "or fit and pack with X.toarray()",
        )
    if isinstance(X, list | tuple) and X and all(isinstance(row, Mapping) for row in X):
        return TrainingTable(_records(X), "records")
    return _array(X, names)


def _array(X: Any, names: list[str]) -> TrainingTable:  # noqa: N803
    try:
        values = np.asarray(X)
    except ValueError:  # rows of different lengths
        values = np.empty(0)
    if values.dtype.names:
        return TrainingTable(pd.DataFrame.from_records(values), "frame")
    if values.ndim == 1 and len(values) and all(isinstance(value, str) for value in values):
        return TrainingTable(pd.DataFrame({_TEXT: pd.Series(list(X), dtype="str")}), "series")
    if values.ndim != 2 or not values.size:
        raise ContractError(
            f"expected a DataFrame, a Series, a list of dictionaries or texts, or an array of two "
            f"dimensions, got {_type_text(X)}",
            hint="X = X.reshape(len(X), -1)" if values.ndim > 2 else "pass what it was fitted on",
        )
    columns = names or [f"x{place}" for place in range(values.shape[1])]
    if len(columns) != values.shape[1]:
        raise ContractError(
            f"expected a name for each of {values.shape[1]} columns, got {len(columns)}"
        )
    dtype = object if values.dtype == object else None  # pandas would convert some columns to text
    return TrainingTable(pd.DataFrame(values, columns=columns, dtype=dtype), "array")


def _records(rows: Sequence[Mapping[Any, Any]]) -> pd.DataFrame:
    """Return a frame with a column per key, in order of appearance; a missing key is null."""
    keys: dict[Any, None] = {}
    for row in rows:
        keys.update(dict.fromkeys(row))
    if not keys:
        raise ContractError("the dictionaries have no keys", hint="pass what it was fitted on")
    wrong_key = next((key for key in keys if not isinstance(key, str)), None)
    if wrong_key is not None:
        raise ContractError(
            f"expected keys that are text, got {wrong_key!r}",
            hint="X = [{str(key): value for key, value in row.items()} for row in X]",
        )
    null = next((key for key in keys for row in rows if key in row and row[key] is None), None)
    if null is not None:
        raise ContractError(
            f"the key `{null}` is null in a dictionary; leave it out",
            hint="X = [{k: v for k, v in row.items() if v is not None} for row in X]",
        )
    return pd.DataFrame(
        {key: pd.Series([row.get(key) for row in rows], dtype=object) for key in keys}
    )


def _as_pandas(X: Any) -> Any:  # noqa: N803
    """Convert a frame or Series of polars or Arrow to pandas; return anything else unchanged."""
    if isinstance(X, pa.Table | pa.RecordBatch):
        return X.to_pandas()
    if type(X).__module__.partition(".")[0] != "polars":
        return X
    if type(X).__name__ == "LazyFrame":
        raise ContractError("X is a LazyFrame, which has no rows yet", hint="X = X.collect()")
    return X.to_pandas()


def _type_text(X: Any) -> str:  # noqa: N803
    """Describe the type of an object for people; of an array, with its shape."""
    kind = f"{type(X).__module__}.{type(X).__qualname__}".removeprefix("builtins.")
    shape = getattr(X, "shape", None)
    return kind if shape is None else f"{kind} of shape {shape}"
