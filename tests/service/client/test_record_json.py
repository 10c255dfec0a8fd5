"""Records that can be sent, and those that would arrive as something else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnomon.errors import InvalidRequest
from gnomon.service.client.record_json import checked, encode


@pytest.mark.parametrize(
    ("record", "where", "hint"),
    [
        ("a text", "$", '{"text": text}'),
        ({"x": math.inf}, "$.x", None),
        ({"x": np.float32("inf")}, "$.x", None),
        ({"x": np.float64("-inf")}, "$.x", None),
        ({"x": np.array(np.inf)}, "$.x", None),
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


@pytest.mark.parametrize(
    "null", [None, math.nan, np.float32("nan"), np.datetime64("NaT"), pd.NaT, pd.NA], ids=repr
)
def test_every_kind_of_null_is_sent_as_null(null: Any) -> None:
    """Also in records: `frame.to_dict("records")` keeps NaT, which arrived as the text "NaT"."""
    assert encode(checked({"x": null, "y": [null]}, "$")) == b'{"x":null,"y":[null]}'
