"""The two halves of a fitted pipeline: its preprocessing and its model."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import pandas as pd
from scipy import sparse
from sklearn.pipeline import Pipeline

from gnomon.errors import PackRefused
from gnomon.pipeline.model_input import ModelInput
from gnomon.pipeline.tracing import Names, names_of, run_step

__all__ = ["PipelineHalves", "joined", "model_input", "split"]


class PipelineHalves(NamedTuple):
    """A pipeline in two.

    Attributes:
        preprocessing: the pipeline without its last step.
        name: the name of the last step.
        model: the last step.
    """

    preprocessing: Any
    name: str
    model: Any


def split(pipeline: Any) -> PipelineHalves:
    """Return the halves of a fitted pipeline, or of the best pipeline of a search.

    Raises:
        PackRefused: it is not a ``Pipeline`` with a step before the model.
    """
    pipeline = getattr(pipeline, "best_estimator_", pipeline)
    if not isinstance(pipeline, Pipeline):
        raise PackRefused(
            "expected a Pipeline of preprocessing steps and a model, got "
            f"{type(pipeline).__qualname__}, which cannot be split in two",
            hint="fit the preprocessing and the model as the steps of one Pipeline",
        )
    *steps, (name, model) = pipeline.steps
    if not steps:
        raise PackRefused(
            f"the pipeline has only the step `{name}`, and no preprocessing before it",
            hint="fit the preprocessing and the model as the steps of one Pipeline",
        )
    return PipelineHalves(_with_steps(pipeline, steps), name, model)


def joined(preprocessing: Any, name: str, model: Any) -> Any:
    """Return the pipeline of a preprocessing, as from :func:`split`, and a model."""
    steps = preprocessing.steps
    taken = {other for other, _ in steps}
    while name in taken:
        name += "_model"
    return _with_steps(preprocessing, [*steps, (name, model)])


def model_input(preprocessing: Any, given: Any) -> tuple[Any, ModelInput]:
    """Run rows through a preprocessing; return what the model gets, and its form.

    Args:
        preprocessing: as from :func:`split`.
        given: rows in the form of the pipeline's input.

    Raises:
        PredictionFailed: a step raised.
    """
    names = names_of(given)
    for name, step in preprocessing.steps:
        if hasattr(step, "transform"):
            given, names = run_step(step, given, names, name)
    return given, _form(given, names)


def _form(output: Any, names: Names) -> ModelInput:
    width = output.shape[1] if getattr(output, "ndim", 1) > 1 else 1
    if isinstance(output, pd.DataFrame):
        dtypes = tuple(map(str, output.dtypes))
    else:
        dtypes = (str(getattr(output, "dtype", type(output).__qualname__)),)
    kind = (
        f"sparse {output.format} matrix" if sparse.issparse(output) else type(output).__qualname__
    )
    unique = names is not None and len({*names}) == width
    return ModelInput(
        kind=kind,
        width=width,
        names=tuple(names) if names is not None and unique else None,
        dtypes=dtypes,
    )


def _with_steps(pipeline: Any, steps: list[tuple[str, Any]]) -> Any:
    """Return a copy with other steps: of the same class, and with the same options."""
    other = copy.copy(pipeline)
    other.steps = steps
    return other
