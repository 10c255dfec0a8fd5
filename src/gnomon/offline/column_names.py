"""Unambiguous names for the features, steps and outputs of an artifact in one table.

A feature may have any name, also that of an output (``prediction``), of a step column, or of a key
of a logged row (``row``). In the log, a profile and golden rows, each kind has a separate name
space. In a table of all of them, and in a user's file, a policy and a report, such a feature is
``input/prediction``; every other feature keeps its name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec
import pyarrow as pa

from gnomon.contract.contract import Contract

__all__ = ["KEYS", "KNOWN_AT", "LABEL", "joint_contract", "own_name"]

KEYS = {"request_id": pa.string(), "row": pa.int32(), "client_id": pa.string()}
"""The fields by which a logged row can be found, in addition to its features."""

LABEL, KNOWN_AT = "@label", "@known_at"
"""The names, after reading, of an offline table's columns of the label (ground truth) and of the
time when its values were known."""

_INPUT = "input/"


def joint_contract(contract: Contract, others: Iterable[str] = ()) -> Contract:
    """Rename the features of a contract that have the name of an output, key or other column.

    Args:
        contract: the artifact's contract.
        others: other names that are taken: step columns, or another contract's outputs.

    >>> from gnomon.contract import Contract, Feature, Output
    >>> contract = Contract(
    ...     task="regression",
    ...     features=(
    ...         Feature(name="prediction", type="float", dtype="float64"),
    ...         Feature(name="x", type="float", dtype="float64"),
    ...     ),
    ...     outputs=(Output(name="prediction", type="float"),),
    ... )
    >>> [feature.name for feature in joint_contract(contract).features]
    ['input/prediction', 'x']
    """
    taken = {*KEYS, LABEL, KNOWN_AT, *others, *(output.name for output in contract.outputs)}
    own = {feature.name for feature in contract.features}
    names = {name: _free(name, taken, own) for name in own}
    if all(name == free for name, free in names.items()):
        return contract
    return msgspec.structs.replace(
        contract,
        features=tuple(
            msgspec.structs.replace(feature, name=names[feature.name])
            for feature in contract.features
        ),
        entity_key=tuple(names[name] for name in contract.entity_key),
        event_time=contract.event_time and names[contract.event_time],
    )


def own_name(name: str) -> str:
    """Return the original name of a joint contract's feature, as a user's key column may have."""
    return name.removeprefix(_INPUT)


def _free(name: str, taken: Collection[str], own: Collection[str]) -> str:
    free = name
    while free in taken or (free != name and free in own):
        free = _INPUT + free
    return free
