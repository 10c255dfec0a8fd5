"""The arrangement of a row's outputs in the JSON of an answer.

A model of one target answers ``prediction``, and ``probabilities`` or ``scores`` by class, or one
``score``. A model of several targets answers these for each target, in ``targets`` by name. A
transformer answers ``values`` by column.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

from gnomon.contract.contract import Contract
from gnomon.contract.feature import Output

__all__ = ["Shape", "answer_shape"]

Shape: TypeAlias = "dict[str, Output | Shape]"
"""For each key of a JSON object, the output that is its value, or a nested object."""


@lru_cache(maxsize=64)
def answer_shape(contract: Contract) -> Shape:
    """Return the shape of the JSON object for one row of a contract's outputs."""
    untargeted = [output for output in contract.outputs if output.target is None]
    shape = _of_one(untargeted)
    if contract.targets:
        shape["targets"] = {
            target: _of_one(output for output in contract.outputs if output.target == target)
            for target in contract.targets
        }
    return shape


def _of_one(outputs: Iterable[Output]) -> Shape:
    """Return the shape of one target, or of a model with only one."""
    shape: Shape = {}
    groups: dict[str, Shape] = {}
    for output in outputs:
        if output.role == "prediction":
            shape["prediction"] = output
        elif output.role == "score" and output.label is None:
            shape["score"] = output
        else:
            key = {"probability": "probabilities", "score": "scores", "value": "values"}
            group = groups.setdefault(key[output.role], {})
            group[output.key] = output
    return {**shape, **groups}
