"""A table of rows to check, with the role of each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from gnomon.errors import ContractError
from gnomon.name_lists import as_names

__all__ = ["KnownAt", "LabelledTable", "Task"]

Task = Literal["classification", "regression"]
KnownAt: TypeAlias = "Mapping[str, str | pd.Series[Any] | Sequence[Any]]"
"""When each feature's value was known: the name of a column, or a time for each row."""

MOST_CLASSES = 20
"""Whole numbers with more distinct values are treated as a quantity, unless the task is given."""

_SEED = 0


@dataclass(frozen=True)
class LabelledTable:
    """Rows with the roles of their columns; :meth:`of` builds one.

    Attributes:
        frame: a column for each feature, and any others; its index is the row number.
        features: the columns that the model uses.
        labels: the values to predict, if known.
        task: ``classification`` or ``regression``.
        event_time: the column with the time the prediction was requested.
        entity_key: the columns that together identify the entity predicted for.
        known_at: by feature, a column of ``frame`` with the time its value was known.
    """

    frame: pd.DataFrame
    features: tuple[str, ...]
    labels: pd.Series[Any] | None = None
    task: Task = "classification"
    event_time: str | None = None
    entity_key: tuple[str, ...] = ()
    known_at: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        labels: Any = None,
        *,
        features: str | Sequence[str] | None = None,
        task: Task | None = None,
        event_time: str | None = None,
        entity_key: str | Sequence[str] = (),
        known_at: KnownAt | None = None,
    ) -> LabelledTable:
        """Build a table from a frame.

        Args:
            frame: the features, and all other columns that are named here.
            labels: one for each row.
            features: the columns that the model uses; all columns when not given.
            task: the kind of labels; inferred from them when not given.
            event_time: the column with the time the prediction was requested.
            entity_key: the columns that together identify the entity predicted for.
            known_at: by feature, when its value was known.

        Raises:
            ContractError: a name is not a column, or ``known_at`` lacks times for some rows.
        """
        features = tuple(map(str, frame.columns)) if features is None else as_names(features)
        entity_key = as_names(entity_key)
        frame = frame.reset_index(drop=True).set_axis([str(name) for name in frame], axis=1)
        frame, times = _with_times(frame, known_at or {})
        names = [*features, *entity_key, *times, *times.values()]
        for name in [*names, *([] if event_time is None else [event_time])]:
            if name not in frame:
                raise ContractError(
                    f"the frame has no column `{name}`",
                    hint=f"its columns are {', '.join(map(str, frame.columns))}",
                )
        values = None if labels is None else _labels(labels, len(frame))
        return cls(
            frame=frame,
            features=features,
            labels=values,
            task=task or _task(values),
            event_time=event_time,
            entity_key=entity_key,
            known_at=times,
        )

    def __len__(self) -> int:
        return len(self.frame)

    def column(self, name: str) -> pd.Series[Any]:
        """Return one column."""
        return self.frame[name]

    def take(self, places: npt.NDArray[Any]) -> LabelledTable:
        """Return some rows, which keep their row numbers."""
        labels = None if self.labels is None else self.labels.iloc[places]
        return replace(self, frame=self.frame.iloc[places], labels=labels)

    def labelled(self) -> LabelledTable:
        """Return the rows that have a label."""
        if self.labels is None or not self.labels.isna().any():
            return self
        return self.take(np.flatnonzero(self.labels.notna().to_numpy()))

    def sample(self, most: int) -> LabelledTable:
        """Draw a random sample of at most this many rows, in order, with a fixed seed."""
        if len(self) <= most:
            return self
        random = np.random.default_rng(_SEED)
        return self.take(np.sort(random.choice(len(self), most, replace=False)))

    def stratified_sample(self, most: int) -> LabelledTable:
        """Draw a sample stratified by class, with equal numbers of each class where possible.

        How well two classes can be separated does not depend on their frequency, and rare classes
        must not be lost.
        """
        if self.labels is None or self.task == "regression" or len(self) <= most:
            return self.sample(most)
        random = np.random.default_rng(_SEED)
        return self.take(_stratified_places(pd.factorize(self.labels)[0], most, random))


def _stratified_places(
    classes: npt.NDArray[np.intp], most: int, random: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Choose rows of every class, in numbers as equal as possible."""
    order = random.permutation(len(classes))
    turn = pd.Series(classes[order]).groupby(classes[order]).cumcount().to_numpy()
    return np.sort(order[np.argsort(turn, kind="stable")[:most]])


def _with_times(frame: pd.DataFrame, known_at: KnownAt) -> tuple[pd.DataFrame, dict[str, str]]:
    """Add a column to the frame for each feature whose times were given as values."""
    columns: dict[str, Any] = {}
    times: dict[str, str] = {}
    for feature, when in known_at.items():
        if isinstance(when, str):
            times[feature] = when
            continue
        if len(when) != len(frame):
            raise ContractError(
                f"`known_at` of `{feature}` has {len(when)} times for {len(frame)} rows"
            )
        times[feature] = _free(f"when {feature} was known", frame)
        columns[times[feature]] = pd.Series(when).array
    return frame.assign(**columns) if columns else frame, times


def _free(name: str, frame: pd.DataFrame) -> str:
    """Return the name, with underscores added until no column has it."""
    while name in frame:
        name += "_"
    return name


def _labels(labels: Any, rows: int) -> pd.Series[Any]:
    if isinstance(labels, pd.DataFrame) and labels.shape[1] == 1:
        labels = labels.iloc[:, 0]
    values = labels.reset_index(drop=True) if isinstance(labels, pd.Series) else np.asarray(labels)
    if values.ndim != 1 or len(values) != rows:
        raise ContractError(
            f"expected one label for each of {rows} rows, got an array of shape {values.shape}"
        )
    return pd.Series(values)


def _task(labels: pd.Series[Any] | None) -> Task:
    if labels is None or not pd.api.types.is_numeric_dtype(labels.dtype):
        return "classification"
    is_whole = pd.api.types.is_integer_dtype(labels.dtype) or pd.api.types.is_bool_dtype(
        labels.dtype
    )
    return "classification" if is_whole and labels.nunique() <= MOST_CLASSES else "regression"
