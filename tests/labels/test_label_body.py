"""Labels as they are sent, and what a refusal says."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from gnomon.errors import BodyTooLarge, InvalidRequest, MalformedBody
from gnomon.labels.label_body import decode_labels

ONE = {"request_id": "a", "value": "no"}


def body(content: object) -> bytes:
    return json.dumps(content).encode()


def test_one_label_or_several() -> None:
    """Each with its place, for errors."""
    [(place, label)] = decode_labels(body({**ONE, "known_at": "2026-11-01T05:00:00+05:00"}),
                                     lines=False, most=9)  # fmt: skip
    assert (place, label.value, label.row) == ("$", "no", 0)
    assert label.known_at == datetime(2026, 11, 1, tzinfo=UTC)
    several = decode_labels(body([ONE, ONE]), lines=False, most=2)
    assert [place for place, _ in several] == ["$[0]", "$[1]"]
    lines = decode_labels(body(ONE) + b"\n\n" + body(ONE), lines=True, most=2)
    assert [place for place, _ in lines] == ["line 1: $", "line 3: $"]


@pytest.mark.parametrize(
    ("content", "lines", "says"),
    [
        (body([ONE, {**ONE, "row": -1}]), False, "at $[1].row"),
        (body([ONE, {**ONE, "rwo": 1}]), False, "unknown field `rwo` at $[1]. the keys here are"),
        (body([ONE, {"request_id": "a"}]), False, "the key `value`, which is missing at $[1]"),
        (body({**ONE, "known_at": "2026-11-01T05:00:00"}), False, "at $.known_at"),
        (body(ONE) + b"\n" + body({**ONE, "correction": "1"}), True, "at line 2: $.correction"),
        (body([ONE, 7]), False, "expected `object`, got 7 at $[1]"),
        (
            b'{"request_id":"a","value":"no","value":"yes"}',
            False,
            "got `value` twice in one object",
        ),
        (b'[{"value":{"a":1,"a":1}}]', False, "got `a` twice in one object at $[0]"),
        (body(ONE) + b'\n{"value":1,"value":1}', True, "`value` twice in one object at line 2: $"),
        (body([]), False, "expected at least one label, got none at $"),
        (b"\n", True, "expected at least one label, got none at $"),
    ],
)
def test_a_refusal_names_the_label_and_the_field(content: bytes, lines: bool, says: str) -> None:
    """By its place in the array, or by its line."""
    with pytest.raises(InvalidRequest) as caught:
        decode_labels(content, lines=lines, most=9)
    assert says.lower() in str(caught.value).lower()


@pytest.mark.parametrize(("content", "lines"), [(b"[{", False), (body(ONE) + b"\n{", True)])
def test_what_is_not_json_says_so(content: bytes, lines: bool) -> None:
    """And on which line."""
    with pytest.raises(MalformedBody) as caught:
        decode_labels(content, lines=lines, most=9)
    assert (caught.value.where or "").startswith("line 2: $") is lines


def test_too_many_labels_are_refused() -> None:
    """With what to do instead."""
    with pytest.raises(BodyTooLarge, match="at most 2 labels, got 3"):
        decode_labels(body([ONE] * 3), lines=False, most=2)
