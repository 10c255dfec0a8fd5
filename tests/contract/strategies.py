"""Contracts and records to test with, for every type and training dtype."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from hypothesis import strategies as st

from gnomon.contract import Contract, Feature, Output
from gnomon.contract.json_values import float_limit, integer_limits
from gnomon.contract.time_zones import zone

Record = dict[str, Any]

INTEGERS = ["int8", "int64", "uint16", "uint64", "Int8", "Int64", "UInt32"]
FLOATS = ["float32", "float64", "Float32", "Float64"]
BOOLEANS = ["bool", "boolean", "object", "object[nan]", "object[NA]", "int64", "float64", "Int8"]
TEXTS = ["str", "string", "string[python]", "object", "object[nan]", "object[NA]"]
ZONES = ["UTC", "America/New_York", "Asia/Kathmandu", "+05:30"]
HOLD_NO_NULL = {"int8", "int64", "uint16", "uint64", "bool"}

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters='"\\', min_codepoint=32),
    min_size=1,
    max_size=8,
).filter(lambda name: name != "rows")


def contract(*features: Feature) -> Contract:
    """A regression contract over ``features``."""
    return Contract(
        task="regression",
        features=features,
        outputs=(Output(name="prediction", type="float"),),
    )


@st.composite
def features(draw: st.DrawFn, name: str = "x") -> Feature:
    """A feature of any type and training dtype."""
    kind = draw(st.sampled_from(list(_DTYPES)))
    dtype = draw(st.sampled_from(_DTYPES[kind]))
    options: dict[str, Any] = {"coerce": draw(st.booleans())}
    if kind == "timestamp":
        home = draw(st.sampled_from(ZONES))
        options["timezone"] = home
        options["outside"] = draw(st.sampled_from(["allow", "error"]))
        dtype = dtype.format("UTC" + home if home.startswith("+") else home)
    if kind == "category":
        options["domain"] = tuple(draw(st.lists(text, min_size=1, max_size=4, unique=True)))
        options["outside"] = draw(st.sampled_from(["allow", "error"]))
    if kind == "float":
        options["minimum"], options["outside"] = -1e5, draw(st.sampled_from(["allow", "error"]))
    if dtype not in HOLD_NO_NULL and draw(st.booleans()):
        options |= {"nullable": True, "missing": "impute"}
    return Feature(name=name, type=kind, dtype=dtype, **options)


_DTYPES: dict[Any, list[str]] = {
    "integer": [*INTEGERS, "float64"],
    "float": FLOATS,
    "boolean": BOOLEANS,
    "string": TEXTS,
    "category": [*TEXTS, "category", "category[ordered]"],
    "timestamp": [f"datetime64[{unit}, {{}}]" for unit in ("s", "ms", "us", "ns")],
}


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """A contract of one to six features."""
    drawn = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    return contract(*(draw(features(name)) for name in drawn))


def records(given: Contract) -> st.SearchStrategy[Record]:
    """Records that keep to the contract, as JSON would carry them."""
    return st.fixed_dictionaries({feature.name: values(feature) for feature in given.features})


def values(feature: Feature) -> st.SearchStrategy[Any]:
    """Values the feature accepts, as JSON would carry them."""
    some: st.SearchStrategy[Any] = _SOME[feature.type](feature)
    return st.none() | some if feature.nullable else some


def _integers(feature: Feature) -> st.SearchStrategy[int]:
    low, high = integer_limits(feature.dtype)
    if feature.dtype == "float64":  # a float column holds no larger integer exactly
        low, high = -(2**53), 2**53
    return st.integers(low, high)


def _floats(feature: Feature) -> st.SearchStrategy[float]:
    limit = float_limit(feature.dtype)
    low = feature.minimum if feature.outside == "error" else -limit
    width: Literal[32, 64] = 32 if feature.dtype.lower() == "float32" else 64
    return st.floats(low, limit, width=width, allow_nan=False)


def _timestamps(feature: Feature) -> st.SearchStrategy[str]:
    home = zone(feature.timezone or "UTC")
    own = feature.outside == "error" and not feature.coerce
    zones = st.sampled_from([home] if own else [home, dt.UTC, zone("+05:30")])
    start = dt.datetime(1920, 1, 2)  # earlier, zones had offsets of odd seconds
    moments = st.datetimes(start, dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC))
    return st.builds(
        lambda moment, there: moment.replace(microsecond=0).astimezone(there).isoformat(),
        moments,
        zones,
    )


_SOME: dict[str, Any] = {
    "integer": _integers,
    "float": _floats,
    "boolean": lambda feature: st.booleans(),
    "string": lambda feature: text,
    "category": lambda feature: st.sampled_from(feature.domain),
    "timestamp": _timestamps,
}
