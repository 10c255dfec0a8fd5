"""What a change of contract means for today's requests."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.contract import Contract, Decoder, Feature, Output
from gnomon.contract.difference import Change, difference, worst
from gnomon.errors import ContractError
from tests.contract.strategies import contract, features, records

NUMBER: dict[str, Any] = {"name": "x", "type": "float", "dtype": "float64"}
COUNT: dict[str, Any] = {"name": "x", "type": "integer", "dtype": "int64"}
KIND: dict[str, Any] = {"name": "x", "type": "category", "dtype": "str", "domain": ("a", "b")}
WHEN: dict[str, Any] = {"name": "x", "type": "timestamp", "dtype": "datetime64[us, UTC]"}
NULL = {"nullable": True}
ONLY = {"outside": "error"}
HOURS = {"max_age": dt.timedelta(hours=6)}
OTHER = contract(Feature(name="y", type="float", dtype="float64"))


def feature_changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """The changes of one feature."""
    return difference(contract(Feature(**old)), contract(Feature(**new)))


@pytest.mark.parametrize(
    ("old", "new", "level", "what"),
    [
        (NUMBER, COUNT, "incompatible", "type"),
        (COUNT, NUMBER, "compatible", "type"),
        (COUNT, KIND, "incompatible", "type"),
        (KIND | {"type": "string"}, KIND, "compatible", "type"),
        (NUMBER | NULL, NUMBER, "incompatible", "nullable"),
        (NUMBER, NUMBER | NULL, "compatible", "nullable"),
        (NUMBER | {"missing": "default", "default": 1.0}, NUMBER, "incompatible", "missing"),
        (NUMBER, NUMBER | {"missing": "default", "default": 1.0}, "compatible", "missing"),
        (
            NUMBER | {"missing": "default", "default": 1.0},
            NUMBER | {"missing": "default", "default": 2.0},
            "warning",
            "missing",
        ),
        (KIND, KIND | {"domain": ("a",)}, "warning", "domain"),
        (KIND, KIND | {"domain": ("a", "b", "c")}, "compatible", "domain"),
        (KIND, KIND | {"domain": ("a",)} | ONLY, "incompatible", "domain"),
        (KIND | ONLY, KIND | {"domain": ("a",)} | ONLY, "incompatible", "domain"),
        (KIND, KIND | ONLY, "warning", "domain"),
        (KIND | ONLY, KIND, "compatible", "domain"),
        (NUMBER | {"maximum": 5.0}, NUMBER | {"maximum": 4.0}, "compatible", "range"),
        (NUMBER | {"maximum": 5.0}, NUMBER | {"maximum": 4.0} | ONLY, "incompatible", "range"),
        (NUMBER | {"maximum": 5.0}, NUMBER | {"maximum": 9.0} | ONLY, "warning", "range"),
        (NUMBER, NUMBER | {"maximum": 9.0} | ONLY, "incompatible", "range"),
        (COUNT, COUNT | {"dtype": "int8"}, "incompatible", "range"),
        (
            COUNT | {"minimum": 0, "maximum": 24},
            COUNT | {"dtype": "int8", "minimum": 0, "maximum": 24},
            "warning",
            "range",
        ),
        (NUMBER | {"unit": "miles"}, NUMBER | {"unit": "km"}, "incompatible", "unit"),
        (NUMBER, NUMBER | {"unit": "km"}, "warning", "unit"),
        (NUMBER | {"coerce": True}, NUMBER, "incompatible", "coerce"),
        (NUMBER, NUMBER | {"coerce": True}, "compatible", "coerce"),
        (WHEN, WHEN | {"timezone": "Asia/Tokyo"}, "compatible", "timezone"),
        (WHEN, WHEN | {"timezone": "Asia/Tokyo", "outside": "error"}, "incompatible", "timezone"),
        (WHEN, WHEN | {"outside": "error"}, "incompatible", "outside"),
        (WHEN | {"outside": "error"}, WHEN, "compatible", "outside"),
        (WHEN | HOURS, WHEN, "compatible", "max_age"),
        (WHEN, WHEN | HOURS, "warning", "max_age"),
        (WHEN, WHEN | {"dtype": "datetime64[ns, UTC]"}, "warning", "dtype"),
    ],
)
def test_a_feature_that_changes(
    old: dict[str, Any], new: dict[str, Any], level: str, what: str
) -> None:
    """The most severe change is reported."""
    first = feature_changes(old, new)[0]
    assert (first.level, first.what) == (level, what), str(first)


def test_a_zone_that_is_converted_is_no_matter() -> None:
    """With ``coerce`` a timestamp of any zone is accepted."""
    changes = feature_changes(
        WHEN, WHEN | {"timezone": "Asia/Tokyo", "outside": "error", "coerce": True}
    )
    assert worst(changes) == "compatible"
    assert feature_changes(WHEN, WHEN | {"timezone": "UTC"}) == []


def test_a_unit_spelled_otherwise_is_the_same() -> None:
    """A unit is only a description."""
    assert feature_changes(NUMBER | {"unit": "Miles"}, NUMBER | {"unit": "miles "}) == []


def test_features_that_come_and_go() -> None:
    """A required one breaks clients; an optional one and a removed one do not."""
    old = contract(Feature(**NUMBER))
    for added, level in (({}, "incompatible"), ({"missing": "impute", **NULL}, "compatible")):
        new = contract(Feature(**NUMBER), Feature(**(NUMBER | {"name": "new"} | added)))
        (change,) = difference(old, new)
        assert (change.level, change.where, change.what) == (level, "new", "added")
        (change,) = difference(new, old)
        assert (change.level, change.what) == ("compatible", "removed")
        assert "ignored" in change.says


ANSWERS = Contract(
    task="classification",
    features=(Feature(**NUMBER), Feature(**WHEN | {"name": "at"})),
    outputs=(
        Output(name="prediction", type="string"),
        Output(name="probability_no", type="float"),
        Output(name="probability_yes", type="float"),
    ),
    classes=("no", "yes"),
    entity_key=("x",),
    event_time="at",
)


@pytest.mark.parametrize(
    ("changes", "level", "where"),
    [
        ({"classes": ("yes", "no")}, None, None),
        ({"classes": ("no", "maybe")}, "warning", "classes"),
        ({"outputs": ANSWERS.outputs[:1]}, "warning", "probability_no"),
        ({"outputs": (*ANSWERS.outputs, Output(name="z", type="float"))}, "compatible", "z"),
        (
            {"outputs": (Output(name="prediction", type="integer"), *ANSWERS.outputs[1:])},
            "warning",
            "prediction",
        ),
        ({"task": "regression", "classes": ()}, "incompatible", "task"),
        ({"entity_key": ()}, "warning", "entity_key"),
        ({"event_time": None}, "warning", "event_time"),
    ],
)
def test_answers_and_keys(changes: dict[str, Any], level: str | None, where: str | None) -> None:
    """No request is refused because of them; only another task cannot be compared at all."""
    differences = difference(ANSWERS, msgspec.structs.replace(ANSWERS, **changes))
    assert (
        (differences[0].level, differences[0].where) == (level, where)
        if differences
        else level is None
    )


def test_the_gravest_comes_first() -> None:
    """No change is compatible."""
    changes = difference(ANSWERS, OTHER)
    levels = [change.level for change in changes]
    assert levels == sorted(levels, key=["incompatible", "warning", "compatible"].index)
    assert worst(changes) == "incompatible"
    assert difference(ANSWERS, ANSWERS) == []
    assert worst([]) == "compatible"
    assert str(changes[0]) == "`y` added: no feature -> required: requests without it are refused"


@st.composite
def edits(draw: st.DrawFn) -> tuple[Contract, Contract]:
    """A contract and another that a team may have made of it."""
    old = contract(*(draw(features(name)) for name in ("a", "b")))
    kept = [f for f in old.features if draw(st.integers(0, 9))]
    new = [draw(st.one_of(st.just(f), edited(f), features(f.name))) for f in kept]
    if draw(st.booleans()) or not new:
        new.append(draw(features("c")))
    return old, contract(*new)


def edited(feature: Feature) -> st.SearchStrategy[Feature]:
    """The feature with one key changed, if it may be so."""
    options: list[dict[str, Any]] = [
        {"coerce": True},
        {"coerce": False},
        {"outside": "allow"},
        {"nullable": True, "missing": "impute"},
        {"nullable": False, "missing": "error"},
        {"missing": "error"},
        {"type": "float", "dtype": "float64"},
        {"type": "float", "dtype": "float32"},
        {"type": "string", "dtype": "str"},
        {"minimum": -10.0, "maximum": 10.0, "outside": "error"},
        {"minimum": -1e9},
        {"domain": (*(feature.domain or ()), "more"), "outside": "error"},
        {"timezone": "UTC"},
        {"outside": "error"},
    ]
    return st.sampled_from(
        [
            candidate
            for candidate in (msgspec.structs.replace(feature, **o) for o in options)
            if _holds(candidate)
        ]
    )


def _holds(feature: Feature) -> bool:
    try:
        feature.check()
    except ContractError:
        return False
    return True


@settings(deadline=None)  # the first decoder imports pandas
@given(edits(), st.data())
def test_compatible_means_that_every_request_is_taken(
    pair: tuple[Contract, Contract], data: st.DataObject
) -> None:
    """What the old decoder accepts the new one accepts, features left out or spelled out too."""
    old, new = pair
    if worst(difference(old, new)) != "compatible":
        return
    record = data.draw(records(old))
    for feature in old.features:
        if feature.missing != "error" and data.draw(st.booleans()):
            del record[feature.name]
        elif feature.coerce and feature.type in ("integer", "float", "boolean"):
            value = record[feature.name]
            record[feature.name] = None if value is None else json.dumps(value)
    body = json.dumps(record).encode()
    Decoder(old).decode(body)
    Decoder(new).decode(body)
