"""Values that training did not have, that the contract lets through and the pipeline raises on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pandas as pd

from gnomon.artifact.allowances import PackWarning
from gnomon.contract.contract import Contract
from gnomon.contract.unusual import unseen_rows
from gnomon.pipeline.failing_step import failing_step
from gnomon.pipeline.predicting import outputs

__all__ = ["warn_of_unseen"]

MOST_FEATURES = 50


def warn_of_unseen(pipeline: Any, frame: pd.DataFrame, contract: Contract, stacklevel: int) -> None:
    """Warn of steps that raise on a text or category that training did not have.

    An encoder does so by default. Each such request is refused, although it keeps to the contract.

    Args:
        frame: some rows of training.

    Warns:
        PackWarning: for each step, its class, the features, and the two ways out.
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
            f'outside="error" of {named}',
            PackWarning,
            stacklevel + 1,
        )


def _raising(pipeline: Any, frame: pd.DataFrame, contract: Contract) -> Iterator[tuple[str, str]]:
    for feature, row in unseen_rows(frame, contract, MOST_FEATURES):
        try:
            outputs(pipeline, row, contract)
        except Exception:  # the user's code
            yield feature, str(failing_step(pipeline, row) or "the model")
