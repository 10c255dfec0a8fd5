"""Fitted pipelines in which one part is that of another training run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from benchmarks.skew.datasets import DataSet
from benchmarks.skew.steps import Clock, Cycle
from benchmarks.skew.truth import NotApplicable

__all__ = ["other_fill", "other_scaler", "other_zone", "parts", "reordered"]

Spoil = Callable[[object], None]

SCALERS = (StandardScaler, RobustScaler, MinMaxScaler)


def parts(fitted: Any, columns: tuple[str, ...] = ()) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Return every step of a pipeline, with the features it was given."""
    if isinstance(fitted, Pipeline):
        for _, step in fitted.steps:
            yield from parts(step, columns)
    elif isinstance(fitted, ColumnTransformer):
        given = fitted.transformers_ if hasattr(fitted, "transformers_") else fitted.transformers
        for _, step, names in given:
            yield from parts(step, tuple(names))
    else:
        yield fitted, columns


def _has(data: DataSet, kinds: tuple[type, ...]) -> tuple[str, ...]:
    """Return the features that such steps of a pipeline are given.

    Raises:
        NotApplicable: it has none.
    """
    found = [
        name for step, names in parts(data.build()) if isinstance(step, kinds) for name in names
    ]
    if not found:
        raise NotApplicable
    return tuple(found)


def other_scaler(data: DataSet) -> tuple[Spoil, tuple[str, ...]]:
    """Give the scaler the statistics of rows that came later."""
    columns = _has(data, SCALERS)

    def spoil(fitted: object) -> None:
        rows = slice(data.half, data.half + max(data.half // 4, 100))
        later = data.frame.iloc[rows].drop(columns=list(data.unused))
        other = data.build().fit(later, data.target.iloc[rows])
        for (step, _), (new, _) in zip(parts(fitted), parts(other), strict=True):
            if isinstance(step, SCALERS):
                step.__dict__.update(new.__dict__)

    return spoil, columns


def other_fill(data: DataSet, rng: np.random.Generator) -> tuple[Spoil, tuple[str, ...]]:
    """Give the imputer of numbers another strategy."""
    columns = tuple(name for name in _has(data, (SimpleImputer,)) if name not in data.codes)
    used = [n for n in columns if data.frame[n].iloc[data.half :].isna().mean() > 0.01]
    if not used:
        raise NotApplicable
    constant = bool(rng.random() < 0.5)

    def spoil(fitted: object) -> None:
        train = data.frame.iloc[: data.half]
        for step, names in parts(fitted):
            if isinstance(step, SimpleImputer) and not set(names) & set(data.codes):
                other = np.zeros(len(names)) if constant else train[list(names)].mean().to_numpy()
                step.statistics_ = np.asarray(other, dtype=step.statistics_.dtype)

    return spoil, columns


def other_zone(data: DataSet, zone: str) -> tuple[Spoil, str]:
    """Read the clock of another zone; also returns the one of the training."""
    for step, _ in parts(data.build()):
        if isinstance(step, Clock | Cycle):
            trained = step.zone
            if trained == zone:
                raise NotApplicable
            break
    else:
        raise NotApplicable

    def spoil(fitted: object) -> None:
        for step, _ in parts(fitted):
            if isinstance(step, Clock | Cycle):
                step.zone = zone

    return spoil, trained


def reordered(data: DataSet, rng: np.random.Generator) -> tuple[Spoil, tuple[str, ...]]:
    """Put the labels of one column of an encoder into another order."""
    columns = tuple(n for n in _has(data, (OneHotEncoder, OrdinalEncoder)) if n in data.texts)
    columns = tuple(n for n in columns if data.frame[n].nunique() > 2)
    if not columns:
        raise NotApplicable
    column = str(rng.choice(columns))
    turn = int(rng.integers(1, data.frame[column].nunique()))

    def spoil(fitted: object) -> None:
        for step, names in parts(fitted):
            if isinstance(step, OneHotEncoder | OrdinalEncoder) and column in names:
                place = names.index(column)
                step.categories_ = list(step.categories_)
                step.categories_[place] = np.roll(step.categories_[place], turn)

    return spoil, (column,)
