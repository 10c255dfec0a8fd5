"""A pipeline made to do otherwise for a while: a step's columns set by hand, or its draws fixed.

What an intervention changes downstream, and nothing else, was caused there. This is the *do* of
Pearl, "Causality", 2nd ed. 2009, chapter 3: the step's own value is cut off, everything after it
runs as it is.
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
"""Step columns as ``step/column`` to the values of every row; NaN or None where null."""

_SEED = 0


@contextmanager
def forced(pipeline: Any, given: Any, values: Values) -> Iterator[None]:
    """Until the block ends, steps give these columns for the rows of ``given``, whatever they get.

    Args:
        pipeline: fitted; its steps are put back as they were.
        given: the rows it will be run on, as it takes them.
        values: as many as there are rows.

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
    """Until the block ends, every unseeded draw of numpy and of ``random`` begins at one seed.

    Generators that were made before are not touched.
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
    """A transform with some of its output's columns replaced."""

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
