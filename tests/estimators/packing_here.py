"""Packing without its fresh process, which takes a second: for two hundred estimators in a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from gnomon.artifact import golden, packing
from gnomon.artifact.checks.round_trip import check_round_trip
from gnomon.artifact.serialization import pipeline_bytes
from gnomon.artifact.target import as_target
from gnomon.artifact.training_input import as_fitted, given_table
from gnomon.artifact.vendored_code.vendoring import find_code
from gnomon.contract.contract import Contract

__all__ = ["pack_here"]


def pack_here(
    model: Any,
    X: Any,  # noqa: N803
    y: Any,
    *,
    serializer: Any,
    trusted: Sequence[str],
) -> tuple[Any, Contract, pd.DataFrame]:
    """What :func:`gnomon.pack` checks: the model as an artifact's process would load it, its
    contract, and the training rows as a frame.
    """
    y = as_target(y, stacklevel=1)
    table = given_table(X, (), ())
    packing.check_training(model, table, y)
    table = as_fitted(model, table, stacklevel=1)
    rows = golden.choose_rows(table.frame, 32)
    contract = packing._infer(model, table, y, rows, (), None, None)
    find_code(model)
    check_round_trip(model, rows, contract)
    packing.check_batch_invariance(model, table.frame, contract)
    content = pipeline_bytes.dump(model, serializer)
    accepted = packing.accept_types(content, serializer, {}, trusted)
    if serializer == "pickle":
        accepted = pipeline_bytes.named_types(content, serializer)
    loaded = pipeline_bytes.load(content, serializer, accepted)
    golden.verify(loaded, golden.record(model, rows, contract), contract, "here")
    return loaded, contract, table.frame
