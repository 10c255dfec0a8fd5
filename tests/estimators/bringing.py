"""Fit and pack an estimator as a user would, and compare its served answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from gnomon.contract.contract import Contract
from gnomon.contract.frames import from_frame, to_input
from gnomon.errors import GnomonError, PackRefused, UntrustedTypes
from gnomon.pipeline.predicting import outputs
from tests.estimators.candidates import Candidate

__all__ = ["Brought", "bring"]

Pack = Callable[..., tuple[Any, Contract, pd.DataFrame]]
"""Packs a fitted model by ``serializer`` and ``trusted``: what loads again, its contract, and the
training rows as a frame."""


@dataclass(frozen=True)
class Brought:
    """What became of a candidate.

    Attributes:
        candidate: it.
        task: what it does; None if it was not packed.
        answers: its outputs, in words.
        serializer: what stores it.
        asked: types that had to be trusted by name.
        difference: the largest relative difference between the pipeline's answers to its training
            frame and the loaded artifact's to the same rows as requests bring them; 0: same bits.
        refusal: why it was refused.
        unfitted: why it could not be fitted, or made.
    """

    candidate: Candidate
    task: str | None = None
    answers: str = ""
    serializer: str = ""
    asked: tuple[str, ...] = ()
    difference: float = 0.0
    refusal: GnomonError | None = None
    unfitted: str = ""


def bring(candidate: Candidate, pack: Pack) -> Brought:
    """Fit it, pack it, and load it again."""
    if candidate.made is None:
        return Brought(candidate, unfitted=candidate.why)
    model = candidate.made
    X, y = candidate.data()  # noqa: N806
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.fit(X, y)
        except Exception as error:
            return Brought(candidate, unfitted=f"{type(error).__name__}: {error}".split("\n")[0])
        try:
            return _packed(candidate, model, X, y, pack)
        except GnomonError as refusal:
            return Brought(candidate, refusal=refusal)


def _packed(candidate: Candidate, model: Any, X: Any, y: Any, pack: Pack) -> Brought:  # noqa: N803
    serializer, asked = "skops", ()
    try:
        loaded, contract, frame = pack(model, X, y, serializer="skops", trusted=())
    except UntrustedTypes as error:
        asked = tuple(error.message.partition("trusted: ")[2].split(", "))
        loaded, contract, frame = pack(model, X, y, serializer="skops", trusted=asked)
    except PackRefused as error:
        if "skops cannot store" not in error.message:
            raise
        serializer = "pickle"
        loaded, contract, frame = pack(model, X, y, serializer="pickle", trusted=())
    served = outputs(loaded, to_input(from_frame(frame, contract), contract), contract)
    return Brought(
        candidate,
        task=contract.task,
        answers=_answers(contract),
        serializer=serializer,
        asked=asked,
        difference=_difference(outputs(model, X, contract), served),
    )


def _answers(contract: Contract) -> str:
    kinds = [output.role for output in contract.outputs]
    words = {"prediction": "prediction", "probability": "probabilities", "score": "score"}
    said = [
        f"{kinds.count(role)} {word}s" if kinds.count(role) > 1 and role != "probability" else word
        for role, word in words.items()
        if role in kinds
    ]
    return ", ".join([*said, *([f"{kinds.count('value')} values"] if "value" in kinds else [])])


def _difference(direct: pa.RecordBatch, served: pa.RecordBatch) -> float:
    largest = 0.0
    for left, right in zip(direct.columns, served.columns, strict=True):
        if not pa.types.is_floating(left.type):
            largest = max(largest, 0.0 if left.equals(right) else np.inf)
            continue
        a, b = (pd.Series(side.to_numpy(zero_copy_only=False)) for side in (left, right))
        apart = (a - b).abs() / np.fmax(a.abs(), b.abs())
        largest = max(largest, float(apart.fillna(0.0).max()))
    return largest
