"""A label as it is given: the prediction it is about, what that turned out to be, since when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

__all__ = ["AcceptedLabels", "Label"]

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_SCALAR = {"type": ["string", "number", "boolean", "null"]}
_Scalar = Annotated[Any, msgspec.Meta(extra_json_schema=_SCALAR)]
_Value = Annotated[
    Any,
    msgspec.Meta(
        extra_json_schema={"anyOf": [_SCALAR, {"type": "object", "additionalProperties": _SCALAR}]}
    ),
]
"""For the documentation; the contract says which values there are."""
_Row = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class Label(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ground truth of one prediction.

    It names the prediction by ``request_id`` and ``row``, or by ``entity`` and ``event_time``.

    Attributes:
        value: the class or the number. For several targets, an object of them, by target; targets
            may be left out. Null withdraws the label that a lower ``correction`` gave.
        request_id: the ``request_id`` of the answer, or the ``X-Request-ID`` that the client sent.
        row: the row in that request, from 0.
        entity: the values of the entity key, by feature.
        event_time: the time of the request: its event time, if the contract has one; otherwise the
            last request of the entity at or before this time is meant.
        known_at: since when the value is known; when it was received, if not given.
        source: where it comes from, for people.
        correction: 0 for the first value, 1 for one that replaces it, and so on.
    """

    value: _Value
    request_id: str | None = None
    row: _Row = 0
    entity: dict[str, _Scalar] | None = None
    event_time: Instant | None = None
    known_at: Instant | None = None
    source: str | None = None
    correction: _Row = 0


class AcceptedLabels(msgspec.Struct, frozen=True):
    """The answer to labels that were sent.

    Attributes:
        accepted: how many are now stored: all that were sent.
    """

    accepted: int
