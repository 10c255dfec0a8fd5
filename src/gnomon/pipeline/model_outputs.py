"""The task and the outputs of a fitted model, found by predicting some rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import get_tags

from gnomon.contract.contract import Task
from gnomon.contract.feature import Output, Scalar, label_text
from gnomon.errors import PackRefused
from gnomon.name_lists import listed
from gnomon.pipeline.methods import as_columns, method

__all__ = ["ModelOutputs", "described", "estimator_type", "target_names"]

MOST_OUTPUTS = 4_096
"""The most outputs: each is a column of the log and a value of every answer."""

MOST_KINDS = 5

MOST_CLASSES = 20
"""Integers with more distinct values count as a quantity, if nothing says what they are."""

Column = npt.NDArray[Any]
Labels = tuple[Scalar, ...]
OutputType = Literal["integer", "float", "boolean", "string"]

_TASKS: dict[str | None, Task] = {
    "classifier": "classification",
    "clusterer": "clustering",
    "density_estimator": "clustering",
    "outlier_detector": "outlier_detection",
    "regressor": "regression",
}
"""The task by scikit-learn's type of an estimator with ``predict``. A mixture predicts the most
likely component."""

_OUTLIER, _INLIER = -1, 1


class ModelOutputs(NamedTuple):
    """The task and the outputs of a model.

    Attributes:
        task: the task, in scikit-learn's terms.
        outputs: the outputs, in the order of a contract.
        classes: the labels of a classifier with one target.
    """

    task: Task
    outputs: tuple[Output, ...]
    classes: tuple[Scalar, ...] = ()


def described(pipeline: Any, rows: Any, y: Any = None) -> ModelOutputs:
    """Describe what a fitted model answers.

    Predictions are named after the columns of ``y``, if it has several. There are probabilities if
    the model has ``predict_proba``, else scores if it has ``decision_function`` or
    ``score_samples``. A model without ``predict`` but with ``transform`` returns transformed rows.

    Args:
        pipeline: a fitted pipeline.
        rows: some rows that it was fitted on.
        y: the target that it was fitted on.

    Raises:
        PackRefused: it cannot answer new rows, or its labels, columns or values cannot be part of
            an answer.
        Exception: anything that the pipeline raises.
    """
    predict, transform = method(pipeline, "prediction"), method(pipeline, "value")
    if predict is not None:
        answer = predict(rows)
        columns = _columns(answer, rows, "predict")
        targets = _target_names(y, answer, len(columns))
        found = _predictions(pipeline, columns, targets, rows, y)
    elif transform is not None:
        answer = transform(rows)
        if getattr(answer, "ndim", 1) == 2:  # before a sparse answer is made dense
            _check_width(answer.shape[1])
        columns = _columns(answer, rows, "transform")
        names = _names_out(pipeline, len(columns))
        found = ModelOutputs("transformation", tuple(map(_value, names, columns)))
    elif (score := method(pipeline, "score")) is not None:
        columns = _columns(score(rows), rows, "score_samples")
        found = ModelOutputs("density_estimation", tuple(_scores(len(columns), (), ())))
    else:
        raise _answers_nothing(pipeline)
    _check(found.outputs)
    return found


def target_names(y: Any, count: int) -> tuple[str, ...]:
    """Return the names of several targets: the columns of ``y`` or of an answer, else numbers."""
    if isinstance(y, pd.DataFrame) and y.shape[1] == count:
        return tuple(map(str, y.columns))
    return tuple(map(str, range(count)))


def _target_names(y: Any, answer: Any, count: int) -> tuple[str, ...]:
    """Return the names of the targets: the columns of ``y``, or of the answer if ``y`` has others.

    It has others if several quantiles of one quantity are predicted.
    """
    named = isinstance(y, pd.DataFrame) and y.shape[1] == count
    return target_names(y if named else answer, count)


def _columns(answer: Any, rows: Any, name: str) -> list[Column]:
    """The columns of an answer that has a value, or one of each column, for every row.

    Raises:
        PackRefused: it has not.
    """
    count = rows.shape[0] if hasattr(rows, "shape") else len(rows)
    try:
        columns = as_columns(answer, count)
    except ValueError:  # lists of different lengths, or more than two dimensions
        columns = []
    if columns and all(len(column) == count for column in columns):
        return columns
    kind = type(answer).__name__
    size = f" of {len(answer)}" if isinstance(answer, list | tuple) else ""
    size += f" of shape {answer.shape}" if hasattr(answer, "shape") else ""
    raise PackRefused(
        f"`{name}` answers a {kind}{size} for {count} rows; expected a number or a label for each, "
        "or a row of as many for all",
        where=name,
        hint="let it return an array with a row for each row of X, such as "
        "np.column_stack([mean, std]); of sets of labels, a column of true and false for each",
    )


def _predictions(
    pipeline: Any, predicted: list[Column], names: Sequence[str], rows: Any, y: Any
) -> ModelOutputs:
    targets = names if len(predicted) > 1 else ()
    task = _task(pipeline, predicted, y)
    classes = _classes(pipeline, task, predicted, y)
    outputs = [
        Output(
            name=f"prediction_{target}" if target is not None else "prediction",
            type=_quantity(column) if task == "regression" else _type_of(labels, column),
            target=target,
            classes=labels if target is not None else (),
        )
        for target, labels, column in zip(targets or (None,), classes, predicted, strict=True)
    ]
    predict_proba = method(pipeline, "probability")
    score = None if task == "regression" else method(pipeline, "score")
    if predict_proba is not None:
        answer = predict_proba(rows)
        widths = [part.shape[1] for part in answer] if isinstance(answer, list) else None
        count = len(_columns(answer, rows, "predict_proba"))
        outputs += _probabilities(count, widths, targets, classes)
    elif score is not None:
        of_classes = () if _scores_pairs(pipeline) else classes[0]
        outputs += _scores(len(as_columns(score(rows))), targets, of_classes)
    return ModelOutputs(task, tuple(outputs), () if targets else classes[0])


def _task(pipeline: Any, predicted: Sequence[Column], y: Any) -> Task:
    """Return the task by scikit-learn's estimator type, else by what is predicted."""
    known = _TASKS.get(estimator_type(pipeline))
    if known is not None:
        return known
    if hasattr(pipeline, "classes_"):
        return "classification"
    seen = predicted if y is None else [*predicted, *as_columns(y)]
    labels = all(_are_labels(column) for column in seen)
    return "classification" if labels else "regression"


def estimator_type(pipeline: Any) -> str | None:
    """Return scikit-learn's estimator type; None if it has none or is not an estimator."""
    try:
        found: str | None = get_tags(pipeline).estimator_type
    except Exception:  # the user's code, or a class without tags
        return None
    return found


def _are_labels(column: Column) -> bool:
    if column.dtype.kind in "iu":
        return len(np.unique(column)) <= MOST_CLASSES
    return column.dtype.kind in "OSUTb"


def _classes(pipeline: Any, task: Task, predicted: list[Column], y: Any) -> list[Labels]:
    """Return the labels of a classifier by target; none for other models."""
    if task == "outlier_detection":
        return [(_OUTLIER, _INLIER)] * len(predicted)
    if task != "classification":
        return [()] * len(predicted)
    known = getattr(pipeline, "classes_", None)
    if len(predicted) == 1 and known is not None:
        return [_labels(known[0] if isinstance(known, list) and len(known) == 1 else known)]
    if isinstance(known, list | tuple) and len(known) == len(predicted):
        return [_labels(some) for some in known]
    given = [] if y is None else as_columns(y)
    if len(given) == len(predicted):
        return [_labels(np.unique(column)) for column in given]
    # Without y, it is a matrix of zeros and ones, and `classes_` are its column numbers.
    return [() if known is None else (0, 1)] * len(predicted)


def _labels(labels: Any) -> Labels:
    return tuple(_plain(label) for label in np.asarray(labels).tolist())


def _plain(label: Any) -> Scalar:
    if not isinstance(label, bool | int | float | str):
        raise PackRefused(
            f"expected classes that are strings, numbers or booleans, got {label!r}",
            hint="fit it on y as strings or integers",
        )
    return label


def _probabilities(
    count: int,
    widths: list[int] | None,
    targets: Sequence[str],
    classes: Sequence[Labels],
) -> list[Output]:
    """Describe one output per class; for targets of two classes perhaps only the second class."""
    if not targets:
        labels = classes[0] or tuple(range(count))
        if count == 1 and len(labels) == 2:
            labels = labels[1:]
        if count != len(labels):
            raise PackRefused(
                f"`predict_proba` gives {count} columns, and there are {len(labels)} classes",
                where="predict_proba",
                hint="give a probability for each of `classes_`, in its order",
            )
        by_name = bool(classes[0]) and count == len(classes[0])
        return [
            Output(
                name=f"probability_{label_text(label)}",
                type="float",
                label=None if by_name else label,
            )
            for label in labels
        ]
    each = (
        list(classes)
        if widths is not None or count != len(targets)
        else [labels[-1:] for labels in classes]
    )
    if count != sum(map(len, each)):
        raise PackRefused(
            f"`predict_proba` gives {count} columns, and there are "
            f"{', '.join(str(len(labels)) for labels in classes)} classes of the targets "
            f"{', '.join(targets)}",
            where="predict_proba",
            hint="fit it on rows that contain every class of every target",
        )
    return [
        Output(
            name=f"probability_{target}_{label_text(label)}",
            type="float",
            target=target,
            label=label,
        )
        for target, labels in zip(targets, each, strict=True)
        for label in labels
    ]


def _scores_pairs(pipeline: Any) -> bool:
    """Return whether scores are for pairs of classes; three classes also have three pairs."""
    try:
        parameters = pipeline.get_params(deep=True)
    except Exception:  # the user's code, or a class without parameters
        return False
    return any(
        name.rpartition("__")[2] == "decision_function_shape" and value == "ovo"
        for name, value in parameters.items()
    )


def _scores(count: int, targets: Sequence[str], classes: Sequence[Scalar]) -> list[Output]:
    """Describe scores: one, one per target or class, or numbered ones, as for pairs of classes."""
    if targets and count == len(targets):
        return [
            Output(name=f"score_{target}", type="float", kind="score", target=target)
            for target in targets
        ]
    if count == 1:
        return [Output(name="score", type="float", kind="score")]
    labels = classes if count == len(classes) else tuple(range(count))
    return [
        Output(name=f"score_{label_text(label)}", type="float", kind="score", label=label)
        for label in labels
    ]


def _names_out(pipeline: Any, count: int) -> list[str]:
    """Return the names of a transformer's columns, if it names each; else numbered names."""
    try:
        names = [str(name) for name in pipeline.get_feature_names_out()]
    except Exception:  # the user's code, or a step that does not name its columns
        names = []
    if len(set(names)) == count:
        return names
    return [f"value_{place}" for place in range(count)]


def _value(name: str, column: Column) -> Output:
    return Output(name=name, type=_type_of((), column), kind="value")


def _quantity(column: Column) -> OutputType:
    """The type of a regression's answer, which is served as floats."""
    found = _type_of((), column)
    if found == "string":
        raise PackRefused(
            "it is a regressor, or was fitted on numbers, and answers text",
            where="predict",
            hint="give its class ClassifierMixin, or let `predict` return numbers",
        )
    return "float"


def _type_of(labels: Sequence[Scalar], column: Column) -> OutputType:
    """Return the type of a column by its labels, if they are known; else by its dtype."""
    if labels:
        kinds = {type(label) for label in labels}
        if kinds == {bool}:
            return "boolean"
        if kinds == {int}:
            return "integer"
        return "string" if str in kinds else "float"
    by_kind: dict[str, OutputType] = {
        "b": "boolean",
        "i": "integer",
        "u": "integer",
        "f": "float",
        "U": "string",
        "T": "string",
    }
    if column.dtype.kind == "O":
        inferred = pd.api.types.infer_dtype(column, skipna=True)
        by_inferred: dict[str, OutputType] = {
            "string": "string",
            "boolean": "boolean",
            "integer": "integer",
            "floating": "float",
            "mixed-integer-float": "float",
        }
        if inferred in by_inferred:
            return by_inferred[inferred]
        names = sorted({type(value).__qualname__ for value in column if value is not None})
        raise _no_answer(f"values of type {listed(names, MOST_KINDS, '`{}`')}")
    if column.dtype.kind not in by_kind:
        raise _no_answer(f"values of dtype `{column.dtype}`")
    return by_kind[column.dtype.kind]


def _no_answer(what: str) -> PackRefused:
    return PackRefused(
        f"it answers {what}, and an output is a number, a boolean or text",
        where="the outputs",
        hint="add a last step that converts them to numbers or strings",
    )


def _check_width(columns: int) -> None:
    if columns > MOST_OUTPUTS:
        raise PackRefused(
            f"it answers {columns:,} columns, and at most {MOST_OUTPUTS:,} are served",
            where="the outputs",
            hint="hash to n_features=1000, or add a step such as TruncatedSVD(n_components=100)",
        )


def _check(outputs: Sequence[Output]) -> None:
    _check_width(len(outputs))
    names = [output.name for output in outputs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PackRefused(
            f"two outputs would be called `{twice}`",
            where="the outputs",
            hint="rename the columns of y or the classes, so that `<target>_<class>` is unique",
        )


def _answers_nothing(pipeline: Any) -> PackRefused:
    """Return the refusal of a model that cannot answer new rows, with what to do."""
    last = pipeline
    while hasattr(last, "steps") and last.steps:
        last = last.steps[-1][1]
    name = type(last).__qualname__
    if getattr(pipeline, "refit", None) is False:
        hint = "search with refit=True, or pack the estimator that you fit with best_params_"
        return PackRefused(f"{name} has nothing to predict with: refit=False", hint=hint)
    if getattr(last, "novelty", None) is False:
        hint = f"fit {name}(novelty=True), which predicts rows that it was not fitted on"
        return PackRefused(
            f"{name} with novelty=False only labels the rows it was fitted on", hint=hint
        )
    for fitted, hint in (
        (
            "fit_predict",
            "fit a classifier on its `labels_`, or use one that predicts, as KMeans does",
        ),
        ("fit_transform", "use a transformer that takes new rows, as PCA or KernelPCA does"),
    ):
        if callable(getattr(last, fitted, None)):
            return PackRefused(
                f"{name} has no `predict` and no `transform`: its `{fitted}` only answers the rows "
                "it is fitted on",
                hint=hint,
            )
    if callable(getattr(last, "fit_resample", None)):
        hint = "pass the complete pipeline, with the model as its last step"
        return PackRefused(f"{name} only resamples training data", hint=hint)
    return PackRefused(
        f"{name} has no `predict`, `transform` or `score_samples`: nothing that answers new rows",
        hint="pass the complete pipeline, with a model as its last step",
    )
