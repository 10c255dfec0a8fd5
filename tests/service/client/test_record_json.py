"""Records that can be sent, and those that would arrive as something else."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gnomon.errors import InvalidRequest
from gnomon.service.client.record_json import checked


@pytest.mark.parametrize(
    ("record", "where", "hint"),
    [
        ("a text", "$", '{"text": text}'),
        ({"x": math.inf}, "$.x", None),
        ({"x": b"UA"}, "$.x", "decode"),
        ({"x": bytearray(b"UA")}, "$.x", "decode"),
    ],
)
def test_what_would_arrive_as_something_else_is_not_sent(
    record: Any, where: str, hint: str | None
) -> None:
    """An infinity as null, and bytes as text in base64."""
    with pytest.raises(InvalidRequest) as refused:
        checked(record, "$")
    assert refused.value.where == where
    assert hint is None or hint in str(refused.value.hint)


def test_other_records_pass() -> None:
    """They are not changed."""
    record = {"x": 1.5, "y": None, "z": "UA"}
    assert checked(record, "$") is record
