"""How far two values may differ and still agree, and the tolerance of a column by default."""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import pyarrow as pa

from gnomon.tolerances import ROUNDING, ROUNDING_NEAR_ZERO

__all__ = ["Comparator", "Kind", "NumberOrLabel", "Tolerance", "default_tolerance", "kind_of"]

Kind = Literal["label", "number", "probability", "ignore"]
NumberOrLabel = Literal["label", "number", "probability"]


class Tolerance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far two values of a column may differ and still agree; the widest bound counts.

    Attributes:
        kind: ``label`` (equal or not), ``number``, ``probability`` (a number between 0 and 1) or
            ``ignore``. If unset, it follows from the column's type.
        absolute: ``|left - right|`` may be this much. Timestamps are compared in seconds.
        relative: ``|left - right|`` may be this share of the larger of the two.
        ulps: the two values may be this many representable 64-bit floats apart.
    """

    kind: Kind | None = None
    absolute: float | None = None
    relative: float | None = None
    ulps: int | None = None

    def __post_init__(self) -> None:
        for name in ("absolute", "relative", "ulps"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"expected `{name}` to be 0 or more, got {value}")
            if value is not None and self.kind in ("label", "ignore"):
                raise ValueError(f"`{name}` has no meaning for kind `{self.kind}`")


class Comparator(msgspec.Struct, frozen=True, kw_only=True):
    """A tolerance with every default filled in: two values agree within any of the three bounds."""

    kind: NumberOrLabel
    absolute: float = 0.0
    relative: float = 0.0
    ulps: int = 0


def kind_of(field: pa.Field) -> NumberOrLabel:
    if pa.types.is_floating(field.type):
        return "probability" if field.name.startswith("probability_") else "number"
    is_whole = pa.types.is_integer(field.type) and field.name != "prediction"
    is_whole = is_whole or pa.types.is_decimal(field.type)
    return "number" if is_whole or pa.types.is_timestamp(field.type) else "label"


def default_tolerance(kind: str, type_: pa.DataType, same: bool) -> Tolerance:
    """Return the default: two artifacts may differ a little, one artifact only by rounding."""
    if kind == "label" or not pa.types.is_floating(type_):
        return Tolerance()
    if same:
        return Tolerance(absolute=ROUNDING_NEAR_ZERO, relative=ROUNDING)
    return Tolerance(absolute=0.05) if kind == "probability" else Tolerance(relative=0.01)
