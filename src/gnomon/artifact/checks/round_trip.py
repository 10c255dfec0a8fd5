"""The check that rows of a request get the same answers as the rows of training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from gnomon.artifact.checks.frame_extras import changed_rows, made_of, reads_frame_extras
from gnomon.contract.contract import Contract
from gnomon.contract.frames import as_input, from_frame, to_frame
from gnomon.errors import GnomonError, PackRefused
from gnomon.pipeline.agreement import agree
from gnomon.pipeline.layout import relaid, rounding_bounds
from gnomon.pipeline.predicting import outputs
from gnomon.pipeline.tracing import trace

__all__ = ["check_round_trip", "raised"]

_THREADS = 0.75
"""The share of a float's digits that two calls must agree on: threads may add in another order."""


def check_round_trip(pipeline: Any, rows: pd.DataFrame, contract: Contract) -> None:
    """Refuse a contract that cannot represent the pipeline's input.

    The rows must get the same answers after they are converted to the contract's types, as every
    request is: the same bits as the training frame's values in the memory layout of a served
    frame. If that layout differs from the training frame's, floats may differ between the two by
    what the order of summation explains, see :mod:`gnomon.pipeline.layout`.

    Raises:
        PackRefused: an answer changes, a step draws at random, or the pipeline raises.
    """
    try:
        _check(pipeline, rows, contract)
    except GnomonError:
        raise
    except Exception as error:
        raise raised(error, rows) from error


def raised(error: Exception, X: Any) -> PackRefused:  # noqa: N803
    """The refusal of a pipeline that raises on the rows it was fitted on."""
    return PackRefused(
        f"the pipeline raised {type(error).__name__} on rows of X: {error}",
        hint=made_of(X)
        or "pass the frame it was fitted on, and a contract with the same columns; if it takes "
        "something else than X, wrap it in a class whose `predict` makes that of X",
    )


def _check(pipeline: Any, rows: pd.DataFrame, contract: Contract) -> None:
    def ask(frame: pd.DataFrame) -> pa.RecordBatch:
        return outputs(pipeline, as_input(frame, contract), contract)

    direct, again = ask(rows), ask(rows)
    digits = None if _differing(direct, again, None) is None else _THREADS
    if _differing(direct, again, _THREADS) is not None:
        raise _drawn(pipeline, rows, contract, direct, again)

    def differs(frame: pd.DataFrame) -> bool:
        try:
            return _differing(direct, ask(frame), digits) is not None
        except Exception:  # the user's code
            return True

    if (refusal := reads_frame_extras(rows, differs)) is not None:
        raise refusal
    travelled = to_frame(from_frame(rows, contract), contract)
    served = ask(travelled)
    if _differing(direct, served, digits) is None:
        return
    here = rows[[feature.label for feature in contract.features if not feature.carried]]
    here = relaid(here, rows=contract.layout == "rows")
    expected = ask(here)
    if (name := _differing(expected, served, digits)) is not None:
        raise _changed(name, _blamed(here, travelled, ask, digits))
    steps = trace(pipeline, as_input(rows, contract)).values()
    terms = max([here.shape[1], *(frame.attrs["width"] for frame in steps)])
    _check_layout(rows, direct, expected, ask, terms)


def _blamed(
    here: pd.DataFrame, travelled: pd.DataFrame, ask: Any, digits: float | None
) -> str | None:
    """Return the first column that alone changes an answer when the contract converts it."""
    before = ask(here)
    for name in here.columns:
        swapped = here.copy()
        swapped[name] = travelled[name]
        if _differing(before, ask(swapped), digits) is not None:
            return str(name)
    return None


def _changed(output: str, column: str | None) -> PackRefused:
    if column is None:
        return PackRefused(
            f"`{output}` differs for rows that were converted by the contract",
            where=output,
            hint="the pipeline sees more of the frame than its columns' values, such as the index",
        )
    return PackRefused(
        f"`{output}` differs when `{column}` is converted by the contract",
        where=f"column `{column}`",
        hint="its type in the contract is not what the pipeline was fitted on",
    )


def _drawn(
    pipeline: Any,
    rows: pd.DataFrame,
    contract: Contract,
    direct: pa.RecordBatch,
    again: pa.RecordBatch,
) -> PackRefused:
    given = as_input(rows.copy(), contract)
    if contract.input != "records":
        refusal = changed_rows(lambda some: outputs(pipeline, some, contract), given)
        if refusal is not None:
            return refusal
    one, other = trace(pipeline, given), trace(pipeline, given)
    for path, frame in one.items():
        for column in frame:
            if not agree(frame[column], other[path][column], _THREADS).all():
                return _random(f"step `{path}`, column `{column}`", f"step `{path}`")
    name = _differing(direct, again, _THREADS)
    return _random(f"output `{name}`", "the model")


def _random(where: str, what: str) -> PackRefused:
    return PackRefused(
        f"{what} gives different values for the same rows when it is called again: it draws at "
        "random when it predicts, reads the time, or remembers earlier calls",
        where=where,
        hint="let its values follow from the row and from what `fit` learned; of IterativeImputer, "
        "sample_posterior=False",
    )


def _check_layout(
    rows: pd.DataFrame,
    direct: pa.RecordBatch,
    expected: pa.RecordBatch,
    ask: Any,
    terms: int,
) -> None:
    """Refuse answers that change with the memory layout by more than summation order explains."""
    bounds = rounding_bounds(ask, rows, terms)
    for name, left, right in zip(
        direct.schema.names, direct.columns, expected.columns, strict=True
    ):
        if name not in bounds:
            if left.equals(right):
                continue
            apart, allowed = "another label", "none"
        else:
            a, b = (side.to_numpy(zero_copy_only=False) for side in (left, right))
            if (np.isnan(a) & np.isnan(b) | (np.abs(a - b) <= bounds[name])).all():
                continue
            worst = int(np.nanargmax(np.abs(a - b) - bounds[name]))
            apart, allowed = f"{abs(a - b)[worst]:.3g}", f"{bounds[name][worst]:.3g}"
        raise PackRefused(
            f"`{name}` depends on the memory layout of the frame: it differs by {apart}, and the "
            f"order of summation explains {allowed}",
            where=f"output `{name}`",
            hint="a step reads an array in the order of its memory, such as with "
            'ravel("K") or view; use the columns instead',
        )


def _differing(left: pa.RecordBatch, right: pa.RecordBatch, digits: float | None) -> str | None:
    """Return the first output that differs; NaN equals NaN.

    ``digits`` is as in :func:`agree`; None compares bits.
    """
    for name, one, other in zip(left.schema.names, left.columns, right.columns, strict=True):
        if digits is not None:
            same = bool(agree(one.to_pandas(), other.to_pandas(), digits).all())
        elif pa.types.is_floating(one.type):
            a, b = (side.to_numpy(zero_copy_only=False) for side in (one, other))
            same = np.array_equal(a, b, equal_nan=True)
        else:
            same = bool(one.equals(other))
        if not same:
            return str(name)
    return None
