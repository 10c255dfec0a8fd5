"""Columns of every kind survive the way from a frame to Arrow, over JSON and back."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from gnomon.contract import Decoder, Feature, from_frame, infer_contract, to_frame
from gnomon.contract.arrays import arrow_column
from gnomon.contract.check.row_check import check_frame
from gnomon.errors import ContractError

N = 6
UTC = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def arrow(values: list[Any], kind: pa.DataType) -> Any:
    """A pandas array that Arrow backs."""
    return pd.array(values, dtype=pd.ArrowDtype(kind))


def objects(values: list[Any]) -> pd.Series[Any]:
    """A column of Python objects."""
    return pd.Series(values, dtype=object)


COLUMNS: dict[str, Any] = {
    "int8": np.arange(N, dtype="int8"),
    "float32": np.linspace(0, 1, N, dtype="float32"),
    "Int16": pd.array([1, None, 3, 4, 5, 6], dtype="Int16"),
    "integer categories": pd.Categorical([1, 2, 3, 1, 2, None]),
    "boolean categories": pd.Categorical([True, False] * 3),
    "float categories": pd.Categorical([1.5, 2.5] * 3, ordered=True),
    "interval categories": pd.cut(pd.Series([0.1, 0.2, 0.3, 0.4, 0.5, np.nan]), 3),
    "object categories": pd.Categorical(objects(["a", "b"] * 3)),
    "arrow int32": arrow([1, 2, 3, 4, 5, None], pa.int32()),
    "arrow float": arrow([1.5, 2, 3, 4, 5, None], pa.float32()),
    "arrow text": arrow([*"aabbc", None], pa.string()),
    "arrow boolean": arrow([True, False] * 3, pa.bool_()),
    "arrow timestamp": arrow([UTC] * N, pa.timestamp("us", "UTC")),
    "arrow clock": arrow([dt.datetime(2020, 1, 1)] * N, pa.timestamp("ns")),
    "arrow date": arrow([dt.date(2020, 1, 1)] * N, pa.date32()),
    "arrow decimal": arrow([Decimal("1.25")] * N, pa.decimal128(10, 2)),
    "arrow list": arrow([[1.0, 2.0]] * N, pa.list_(pa.float32())),
    "arrow fixed list": arrow([[1.0, 2.0]] * N, pa.list_(pa.float32(), 2)),
    "arrow dictionary": arrow([*"aabbcc"], pa.dictionary(pa.int32(), pa.string())),
    "dates": objects([*(dt.date(2020, 1, day) for day in range(1, N)), None]),
    "decimals": objects([Decimal(x) for x in ("1.5", "12.25", "3", "0", "-1")] + [None]),
    "integer objects": objects([1, 2, 3, None, 4, 5]),
    "float objects": objects([1.5, 2.0, 3.0, np.nan, 4.5, 5.0]),
    "lists": objects([[1, 2, 3]] * N),
    "lists of several lengths": objects([list(range(k)) for k in range(N)]),
    "float32 arrays": objects([np.arange(4, dtype="float32") + k for k in range(N)]),
    "tuples of text": objects([("a", "b")] * N),
    "clock": pd.to_datetime(["2020-01-01 05:00", None, "2020-11-01 01:30"] * 2),
    "timestamps": pd.to_datetime(["2020-01-01"] * N).tz_localize("America/New_York"),
}


def sent(value: Any) -> Any:
    """A value that JSON has no form for, as a client sends it."""
    return str(value) if isinstance(value, Decimal) else value.isoformat()


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_a_column_comes_back_as_it_was(column: Any) -> None:
    """Same values, same dtype, same cells; in a batch alone, and read either way."""
    frame = pd.DataFrame({"x": column})
    contract = infer_contract(frame, task="regression", timezone="America/New_York")
    batch = from_frame(frame, contract)
    pd.testing.assert_frame_equal(to_frame(batch, contract), frame)
    for row in range(N):
        alone = to_frame(batch.slice(row, 1), contract)
        pd.testing.assert_frame_equal(alone, frame.iloc[[row]].reset_index(drop=True))
        assert type(alone["x"][0]) is type(frame["x"][row])
    decoder = Decoder(contract)
    body = json.dumps({"rows": batch.to_pylist()}, default=sent).encode()
    assert decoder.batch(decoder.decode(body).rows).equals(batch)
    odd = json.dumps({"rows": [r | {"odd": 1} for r in batch.to_pylist()]}, default=sent).encode()
    assert decoder.batch(decoder.decode(odd).rows).equals(batch)
    # A clock without a zone is sent with the offset of the zone it shows.
    is_clock = contract.features[0].timezone and "America" not in contract.features[0].dtype
    sendable = pa.Table.from_batches([batch]) if is_clock else frame
    assert check_frame(sendable, contract).verdict == "kept"


def test_a_width_is_kept_to_the_model() -> None:
    """8-bit and 32-bit columns of NumPy keep their width."""
    frame = pd.DataFrame({"x": np.array([1], "int8"), "y": np.array([0.1], "float32")})
    contract = infer_contract(frame, task="regression")
    served = to_frame(from_frame(frame, contract), contract)
    assert [str(dtype) for dtype in served.dtypes] == ["int8", "float32"]


def test_an_hour_that_comes_twice_is_the_first_and_one_that_never_comes_is_refused() -> None:
    """This concerns times without a zone; both readings show the pipeline the same local time."""
    feature = Feature(
        name="x", type="timestamp", dtype="datetime64[us]", timezone="America/New_York"
    )
    twice = pd.Series(pd.to_datetime(["2020-11-01 01:30"]).as_unit("us"))
    assert arrow_column(twice, feature).to_pylist()[0].astimezone(dt.UTC).hour == 5
    never = pd.Series(pd.to_datetime(["2020-03-08 02:30"]).as_unit("us"))
    with pytest.raises(ContractError, match="no clock in America/New_York shows") as caught:
        arrow_column(never, feature)
    assert "such as 2020-03-08 02:30:00" in caught.value.message
    assert caught.value.where == "column `x`"
    X = pd.DataFrame({"x": never})  # noqa: N806
    line = str(caught.value.hint).partition("put them forward too: ")[2]
    exec(line, {}, {"X": X})
    assert arrow_column(X["x"], feature).to_pylist()[0].astimezone(dt.UTC).hour == 7
