"""Names under which the features, steps and outputs of an artifact stand side by side.

A feature may have any name: that of an output (``prediction``), of a step's column, or of what a
logged row is found by (``row``). In the log, a profile and golden rows each kind has a name space
of its own. In a table of all of them, and in a user's file, a policy and a report, such a feature
is ``input/prediction``; every other feature keeps its name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec
import pyarrow as pa

from gnomon.contract.contract import Contract

__all__ = ["KEYS", "KNOWN_AT", "LABEL", "joint_contract", "own_name"]

KEYS = {"request_id": pa.string(), "row": pa.int32(), "client_id": pa.string()}
"""What a logged row can be found by beside its features."""

LABEL, KNOWN_AT = "@label", "@known_at"
"""What an offline table's columns of the true outcome, and of when its values were known, are
called once it is read."""

_INPUT = "input/"


def joint_contract(contract: Contract, others: Iterable[str] = ()) -> Contract:
    """The contract with features named so that no output, key or other column is called so.

    Args:
        contract: as the artifact has it.
        others: names that are taken besides: the columns of its steps, another contract's outputs.

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
    """What a feature of a joint contract is called by itself, as a user's key column may be."""
    return name.removeprefix(_INPUT)


def _free(name: str, taken: Collection[str], own: Collection[str]) -> str:
    found = name
    while found in taken or (found != name and found in own):
        found = _INPUT + found
    return found
