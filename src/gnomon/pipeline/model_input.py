"""The form of what a model gets from its preprocessing, and whether another form fits.

This module imports no data library: a gateway compares forms, and runs no pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gnomon.name_lists import listed

__all__ = ["ModelInput", "mismatch"]

_SHOWN = 5


class ModelInput(msgspec.Struct, frozen=True, kw_only=True):
    """The form of what a preprocessing gives to a model.

    Attributes:
        kind: ``DataFrame``, ``ndarray`` and so on: the name of its class.
        width: the number of columns.
        names: the columns' names, if the steps or the output itself name them.
        dtypes: of each column of a frame; of anything else the only one.
    """

    kind: str
    width: int
    names: tuple[str, ...] | None
    dtypes: tuple[str, ...]


def mismatch(given: ModelInput, expected: ModelInput) -> str | None:
    """Say why a model cannot take what another preprocessing gives it; None if it can.

    Columns without names are matched by their place.

    Args:
        given: what the other preprocessing gives.
        expected: what the model's own gave it.
    """
    if given.kind != expected.kind:
        return f"it gives a {given.kind}, and the model was fitted on a {expected.kind}"
    if given.names is not None and expected.names is not None and given.names != expected.names:
        return _other_names(given.names, expected.names)
    if given.width != expected.width:
        return f"it gives {given.width} columns, and the model was fitted on {expected.width}"
    for place, (one, other) in enumerate(zip(given.dtypes, expected.dtypes, strict=True)):
        if one != other:
            column = f"`{given.names[place]}`" if given.names else f"column {place}"
            what = column if len(given.dtypes) == given.width else "its output"
            return f"{what} is {one}, and the model was fitted on {other}"
    return None


def _other_names(given: Sequence[str], expected: Sequence[str]) -> str:
    missing = [name for name in expected if name not in given]
    extra = [name for name in given if name not in expected]
    if not missing and not extra:
        place = next(
            i for i, pair in enumerate(zip(given, expected, strict=False)) if len({*pair}) > 1
        )
        return (
            f"its columns have another order: column {place} is `{given[place]}`, where the model "
            f"was fitted with `{expected[place]}`"
        )
    parts = []
    if missing:
        parts.append(f"it does not give {listed(missing, _SHOWN, '`{}`')}, which the model needs")
    if extra:
        parts.append(f"it gives {listed(extra, _SHOWN, '`{}`')}, which the model does not know")
    return "; ".join(parts)
