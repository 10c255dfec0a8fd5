"""Packing without its fresh process, which takes a second: for two hundred estimators in a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gnomon.artifact import golden, packing, serialization
from gnomon.artifact.faithful import check_faithful
from gnomon.artifact.target import as_target
from gnomon.artifact.vendoring import find_code
from gnomon.contract.contract import Contract

__all__ = ["pack_here"]


def pack_here(
    model: Any,
    X: Any,  # noqa: N803
    y: Any,
    *,
    serializer: Any,
    trusted: Sequence[str],
) -> tuple[Any, Contract]:
    """What :func:`gnomon.pack` checks, and the model as an artifact's process would load it."""
    y = as_target(y, stacklevel=1)
    packing.check_training(model, X, y)
    rows = golden.choose_rows(X, 32)
    contract = packing._infer(model, X, y, rows, (), None)
    find_code(model)
    check_faithful(model, rows, contract)
    packing.check_batch_invariance(model, X, contract)
    content = serialization.dump(model, serializer)
    accepted = packing.accept_types(content, serializer, {}, trusted)
    if serializer == "pickle":
        accepted = serialization.named_types(content, serializer)
    loaded = serialization.load(content, serializer, accepted)
    golden.verify(loaded, golden.record(model, rows, contract), contract, "here")
    return loaded, contract
