"""The output of every step of a pipeline for a frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from gnomon.compat.sklearn import take_columns
from gnomon.errors import PredictionFailed
from gnomon.pipeline.error_text import error_kind, error_text

__all__ = ["column_names", "leaves", "names_of", "run_step", "trace"]

Names = list[str] | None


def trace(pipeline: Any, given: Any) -> dict[str, pd.DataFrame]:
    """Return the output of every transformer, in the order in which they run.

    Pipelines, column transformers, feature unions and the best pipeline of a search are entered;
    anything else is one step. The last estimator, which predicts, is left out, so a model
    without preprocessing has an empty trace.

    Args:
        pipeline: a fitted pipeline.
        given: rows in the form of the training data: a frame, or any other input.

    Returns:
        By path, such as ``columns/hour``, a frame with that step's output. Columns are named by
        ``get_feature_names_out``, else ``hour_0``, ``hour_1``… A sparse output has only its
        columns with a value; ``attrs["width"]`` is the number of all columns, ``attrs["types"]``
        their dtypes in the step's output.

    Raises:
        PredictionFailed: a step raised; ``where`` is its path.
    """
    return {path: _framed(output, names, path) for path, output, names in _steps(pipeline, given)}


def column_names(pipeline: Any, given: Any) -> dict[str, list[str]]:
    """Return, by path, the names of *all* columns of each step's output, in order.

    Raises:
        PredictionFailed: a step raised; ``where`` is its path.
    """
    found = {}
    for path, output, names in _steps(pipeline, given):
        width = output.shape[1] if getattr(output, "ndim", 1) > 1 else 1
        found[path] = _named(names, width, path)
    return found


def leaves(pipeline: Any) -> Iterator[tuple[str, Any]]:
    """Yield the path and the transformer of every step in :func:`trace`."""
    pipeline = getattr(pipeline, "best_estimator_", pipeline)
    if isinstance(pipeline, Pipeline):
        yield from _members(pipeline.steps[:-1], "")


def _members(steps: Sequence[tuple[str, Any]], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, step in steps:
        path = prefix + name
        if isinstance(step, Pipeline):
            yield from _members(step.steps, f"{path}/")
        elif isinstance(step, ColumnTransformer):
            yield from _members(
                [(name, member) for name, member, _ in step.transformers_], f"{path}/"
            )
        elif isinstance(step, FeatureUnion):
            yield from _members(step.transformer_list, f"{path}/")
        elif hasattr(step, "transform"):
            yield path, step


Step = tuple[str, Any, Names]


def _steps(pipeline: Any, given: Any) -> Iterator[Step]:
    pipeline = getattr(pipeline, "best_estimator_", pipeline)
    if isinstance(pipeline, Pipeline):
        yield from _chain(pipeline.steps[:-1], given, names_of(given), "")


def _chain(
    steps: Sequence[tuple[str, Any]], given: Any, names: Names, prefix: str
) -> Iterator[Step]:
    """Run the steps of a pipeline, each on the output of the previous one."""
    for name, step in steps:
        if not hasattr(step, "transform"):
            continue  # "passthrough", None, or a sampler that only works in training
        path = prefix + name
        if isinstance(step, Pipeline | ColumnTransformer | FeatureUnion):
            yield from _inside(step, given, names, path)
            given, names = run_step(step, given, names, path)
        else:
            given, names = run_step(step, given, names, path)
            yield path, given, names


def _inside(step: Any, given: Any, names: Names, path: str) -> Iterator[Step]:
    """Run the leaves of ``step``: its members, or itself if it has none."""
    if isinstance(step, Pipeline):
        yield from _chain(step.steps, given, names, f"{path}/")
    elif isinstance(step, ColumnTransformer):
        for name, member, columns in step.transformers_:
            if hasattr(member, "transform"):
                part = take_columns(step, name, given, columns)
                if part.ndim == 1 or part.shape[1]:  # a member without columns was never fitted
                    yield from _inside(member, part, names_of(part), f"{path}/{name}")
    elif isinstance(step, FeatureUnion):
        for name, member in step.transformer_list:
            if hasattr(member, "transform"):
                yield from _inside(member, given, names, f"{path}/{name}")
    else:
        yield (path, *run_step(step, given, names, path))


def run_step(step: Any, given: Any, names: Names, path: str) -> tuple[Any, Names]:
    """Return a step's output and its columns' names; None if nothing names them.

    Raises:
        PredictionFailed: it raised; ``where`` is ``path``.
    """
    try:
        output = step.transform(given)
    except Exception as error:
        raise PredictionFailed(f"{error_kind(error)}: {error_text(error)}", where=path) from error
    return output, names_of(output) or _names_out(step, names)


def names_of(output: Any) -> Names:
    """Return the names of the columns of a frame or a series; None for other values."""
    if isinstance(output, pd.DataFrame):
        return [str(name) for name in output.columns]
    return [str(output.name)] if isinstance(output, pd.Series) else None


def _names_out(step: Any, names_in: Names) -> Names:
    for given in ((names_in,), ()):
        try:
            return [str(name) for name in step.get_feature_names_out(*given)]
        except Exception:  # the user's code, or a step that does not name its columns
            continue
    return None


def _framed(output: Any, names: Names, path: str) -> pd.DataFrame:
    values: Any = output if hasattr(output, "ndim") else np.asarray(output)
    width = values.shape[1] if values.ndim > 1 else 1
    names = _named(names, width, path)
    if sparse.issparse(values):
        columns = values.tocsc()
        active = np.flatnonzero(np.diff(columns.indptr))
        framed = pd.DataFrame(columns[:, active].toarray(), columns=[names[i] for i in active])
    elif isinstance(values, pd.DataFrame | pd.Series):
        framed = pd.DataFrame(values).set_axis(names, axis=1).reset_index(drop=True)
    else:
        framed = pd.DataFrame(values.reshape(len(values), width), columns=names).infer_objects()
    framed.attrs["width"] = width
    framed.attrs["types"] = _types(values, names)
    return framed


def _types(values: Any, names: list[str]) -> dict[str, str]:
    """Return the dtypes of a step's columns by name; for an array, one dtype under ""."""
    if isinstance(values, pd.DataFrame):
        return dict(zip(names, map(str, values.dtypes), strict=True))
    return {names[0] if isinstance(values, pd.Series) else "": str(values.dtype)}


def _named(names: Names, width: int, path: str) -> list[str]:
    if names is not None and len(set(names)) == width:
        return names
    stem = path.rpartition("/")[2]
    return [f"{stem}_{i}" for i in range(width)]
