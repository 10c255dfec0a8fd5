"""Interventions on a pipeline: a step's columns are set, or its random draws are fixed.

What an intervention changes downstream, and only that, is caused by the step. This is the *do* of
Pearl, "Causality", 2nd ed. 2009, chapter 3: the step's own value is replaced, everything after it
runs unchanged.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from gnomon.compat.numpy import seeded_generators
from gnomon.pipeline.tracing import column_names, leaves

__all__ = ["fixed_draws", "forced"]

Values = Mapping[str, Any]
"""Step columns, ``step/column``, with the values of every row; NaN or None is null."""

_SEED = 0


@contextmanager
def forced(pipeline: Any, given: Any, values: Values) -> Iterator[None]:
    """Make steps return these columns for the rows of ``given`` until the block ends.

    Args:
        pipeline: a fitted pipeline; its steps are restored afterwards.
        given: the rows that it will be run on, in the form of its input.
        values: as many values as there are rows, for each column.

    Raises:
        KeyError: there is no such step or column.
    """
    names = column_names(pipeline, given)
    steps = dict(leaves(pipeline))
    wanted: dict[str, dict[int, Any]] = {}
    for name, column in values.items():
        path, _, bare = name.rpartition("/")
        wanted.setdefault(path, {})[names[path].index(bare)] = column
    with ExitStack() as undo:
        for path, columns in wanted.items():
            step = steps[path]
            step.transform = _setting(step.transform, columns)
            undo.callback(delattr, step, "transform")
        yield


@contextmanager
def fixed_draws() -> Iterator[None]:
    """Start every unseeded draw of numpy and of ``random`` at one seed until the block ends.

    Generators that were created before are not changed.
    """
    states = random.getstate(), np.random.get_state()
    random.seed(_SEED)
    np.random.seed(_SEED)
    try:
        with seeded_generators(_SEED):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def _setting(transform: Callable[[Any], Any], columns: Mapping[int, Any]) -> Callable[[Any], Any]:
    """Return a transform that replaces some of its output's columns."""

    def replaced(given: Any, *rest: Any) -> Any:
        output = transform(given, *rest)
        if isinstance(output, pd.DataFrame):
            output = output.copy()
            for place, values in columns.items():
                column = pd.Series(values, index=output.index)
                typed: Any = column.astype(output.dtypes.iloc[place], errors="ignore")
                output.isetitem(place, typed)
            return output
        if sparse.issparse(output):
            filled = output.tolil(copy=True)
            for place, values in columns.items():
                filled[:, place] = np.asarray(values, dtype=output.dtype).reshape(-1, 1)
            return filled.asformat(output.format)
        filled = np.array(output, copy=True).reshape(len(output), -1)
        for place, values in columns.items():
            filled[:, place] = np.asarray(values, dtype=filled.dtype)
        return filled.reshape(output.shape)

    return replaced
