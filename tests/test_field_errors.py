"""The error for a file or a body that does not fit its type, for each kind of mistake and place."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest

from gnomon.field_errors import struct_error


class Part(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A part of a whole."""

    kind: Literal["small", "large"] | None = None
    size: int | None = None


class Whole(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A model with parts in every place that a part can have."""

    name: str
    parts: tuple[Part, ...] = ()
    by_name: dict[str, Part] = {}
    part: Part | None = None


@pytest.mark.parametrize(
    ("given", "message", "place", "hint"),
    [
        ({}, "expected the key `name`, which is missing", "$", None),
        ([], "expected `object`, got `array`", "$", None),
        ({"name": 1}, "expected `str`, got 1", "$.name", None),
        (
            {"name": "a", "prats": []},
            "unknown field `prats`",
            "$",
            "did you mean `parts`? the keys here are name, parts, by_name, part",
        ),
        (
            {"name": "a", "parts": [{}, {"colour": 1}]},
            "unknown field `colour`",
            "$.parts[1]",
            "the keys here are kind, size",
        ),
        (
            {"name": "a", "parts": [{"kind": "smal"}]},
            'expected one of "large", "small", got "smal"',
            "$.parts[0].kind",
            'did you mean "small"?',
        ),
        (
            {"name": "a", "part": {"kind": 3}},
            'expected one of "large", "small", got 3',
            "$.part.kind",
            None,
        ),
        (
            {"name": "a", "by_name": {"one": {}, "two": {"kind": "x"}}},
            'expected one of "large", "small", got "x"',
            '$.by_name["two"].kind',
            None,
        ),
        (
            {"name": "a", "by_name": {"one": {"size": "3"}}},
            'expected `int | null`, got "3"',
            '$.by_name["one"].size',
            None,
        ),
        (
            {"name": "a", "part": {"size": [1]}},
            "expected `int | null`, got `array`",
            "$.part.size",
            None,
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_what_would_fit(
    given: Any, message: str, place: str, hint: str | None
) -> None:
    """What was expected, what came, the place even inside a table, and the keys there are."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(given, Whole)
    assert struct_error(caught.value, Whole, given) == (message, place, hint)


class Limited(msgspec.Struct, kw_only=True):
    """A number with limits."""

    rows: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 200


def test_a_number_out_of_its_range_is_told() -> None:
    """With the limit, and what came."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"rows": 20_000}, Limited)
    told = struct_error(caught.value, Limited, {"rows": 20_000})
    assert told == ("expected `int` <= 10000, got 20000", "$.rows", None)
