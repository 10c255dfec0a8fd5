"""Values that training did not have, that the contract accepts and the pipeline raises on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from gnomon.artifact.checks.allowances import PackWarning
from gnomon.contract.contract import Contract
from gnomon.contract.frames import as_input
from gnomon.contract.unusual_rows import unseen_rows
from gnomon.pipeline.failing_step import failing_step
from gnomon.pipeline.predicting import outputs
from gnomon.quantities import plural

__all__ = ["warn_of_infinities", "warn_of_unanswered", "warn_of_unseen"]

MOST_FEATURES = 50


def warn_of_unseen(pipeline: Any, frame: pd.DataFrame, contract: Contract, stacklevel: int) -> None:
    """Warn of steps that raise on a text or category that training did not have.

    An encoder does so by default. Each such request fails, although it satisfies the contract.

    Args:
        frame: some rows of training.

    Warns:
        PackWarning: for each step, with its class, the features, and the two solutions.
    """
    by_step: dict[str, list[str]] = {}
    for feature, step in _raising(pipeline, frame, contract):
        by_step.setdefault(step, []).append(feature)
    for step, features in by_step.items():
        named = ", ".join(f"`{name}`" for name in features)
        warnings.warn(
            f"{step} raises on a value of {named} that training did not have, and every request "
            'with one fails. Fit an encoder with handle_unknown="ignore" (OrdinalEncoder: '
            '"use_encoded_value"), or refuse such requests by the contract, with 422: '
            f'outside="error" for {named}',
            PackWarning,
            stacklevel + 1,
        )


def warn_of_infinities(frame: pd.DataFrame, contract: Contract, stacklevel: int) -> None:
    """Warn of features that are infinite in training, which no request as JSON can be.

    Args:
        frame: the training frame.

    Warns:
        PackWarning: the features, with how many rows of each.
    """
    counts = {
        feature.name: int(np.isinf(frame[feature.name].to_numpy(np.float64, na_value=np.nan)).sum())
        for feature in contract.features
        if feature.type == "float"
        and feature.name in frame
        and pd.api.types.is_numeric_dtype(frame[feature.name])
    }
    found = [f"`{name}` ({plural(count, 'row')})" for name, count in counts.items() if count]
    if found:
        warnings.warn(
            f"infinite in training: {', '.join(found)}. A request as JSON cannot have an infinity, "
            "so the model is served without what it learned of them. Train with null, or a largest "
            "number, in their place: X.replace([np.inf, -np.inf], np.nan)",
            PackWarning,
            stacklevel + 1,
        )


def warn_of_unanswered(
    pipeline: Any, rows: pd.DataFrame, contract: Contract, stacklevel: int
) -> None:
    """Warn of training rows whose answer is NaN or infinite, which JSON cannot represent.

    Warns:
        PackWarning: how many rows, and which output.
    """
    answered = outputs(pipeline, as_input(rows, contract), contract)
    for name, column in zip(answered.schema.names, answered.columns, strict=True):
        if not pa.types.is_floating(column.type):
            continue
        bad = int((~np.isfinite(column.to_numpy(zero_copy_only=False))).sum())
        if bad:
            warnings.warn(
                f"`{name}` is NaN or infinite in {bad} of {len(rows)} rows of training, and a "
                "request with such a row gets an error, as JSON cannot represent it. Make the last "
                "step return a number there",
                PackWarning,
                stacklevel + 1,
            )
            return


def _raising(pipeline: Any, frame: pd.DataFrame, contract: Contract) -> Iterator[tuple[str, str]]:
    for feature, row in unseen_rows(frame, contract, MOST_FEATURES):
        try:
            outputs(pipeline, row, contract)
        except Exception:  # the user's code
            yield feature, str(failing_step(pipeline, row) or "the model")
