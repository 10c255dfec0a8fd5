"""A label as it is given: what is accepted, and what a refusal says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from gnomon.contract.contract import Contract, Feature
from gnomon.errors import InvalidRequest
from gnomon.labels.label import Label
from gnomon.labels.label_reader import LabelReader
from tests.labels.labelled_log import CONTRACT, DAY, TIMELESS, TWO_TARGETS, stored

NUMBERED = structs.replace(
    CONTRACT,
    features=(Feature(name="flight", type="integer", dtype="int64"), *CONTRACT.features),
    entity_key=("flight", "customer"),
)
KEYLESS = structs.replace(CONTRACT, entity_key=(), event_time=None)


def refused(label: Label, contract: Contract = CONTRACT) -> str:
    with pytest.raises(InvalidRequest) as caught:
        LabelReader(contract).records([("$[3]", label)], DAY)
    return str(caught.value)


def test_what_is_stored_names_the_prediction_and_when_it_was_received() -> None:
    """A time in any zone is an instant; ``known_at`` stays null if it is not given."""
    zone = timedelta(hours=5)
    known = datetime(2026, 10, 31, 17, tzinfo=UTC)
    [row] = stored(
        Label(request_id="a", row=2, value="yes", source="billing", known_at=known), at=DAY
    ).to_pylist()
    assert row == {
        "request_id": "a", "row": 2, "entity_key": None, "entity": None, "event_time": None,
        "target": None, "value": "yes", "known_at": known, "source": "billing", "correction": 0,
        "received_at": DAY,
    }  # fmt: skip
    local = (DAY + zone).replace(tzinfo=None).isoformat() + "+05:00"
    entity = {"flight": 7, "customer": 'a"b'}
    label = Label(entity=entity, event_time=datetime.fromisoformat(local), value="yes")
    [row] = stored(label, contract=NUMBERED).to_pylist()
    assert (row["entity_key"], row["entity"]) == ('["flight","customer"]', '["7","a\\"b"]')
    assert (row["event_time"], row["known_at"], row["request_id"]) == (DAY, None, None)


def test_each_target_is_a_record() -> None:
    """So that each can be known, corrected and sent again by itself."""
    table = stored(Label(request_id="a", value={"gate": 2.0, "late": "no"}), contract=TWO_TARGETS)
    assert table.select(["target", "value"]).to_pylist() == [
        {"target": "gate", "value": "2"}, {"target": "late", "value": "no"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"request_id": "a", "value": 1}, 'expected one of "no", "yes", got 1 at $[3].value'),
        ({"request_id": "a", "value": None}, "expected a label, got null at $[3].value"),
        ({"request_id": "", "value": "no"}, "expected a request id, got an empty text"),
        ({"request_id": "a" * 1_025, "value": "no"}, "at most 1,024 characters, got 1,025"),
        ({"request_id": "a", "value": "no", "source": "a" * 1_025}, "got 1,025 at $[3].source"),
        ({"value": "no"}, "expected `request_id`, or `entity` and `event_time`, got none"),
        ({"value": "no", "entity": {"customer": "a"}}, "got `entity` at $[3]"),
        (
            {"value": "no", "request_id": "a", "event_time": DAY},
            "got `request_id` and `event_time`",
        ),
        (
            {"value": "no", "entity": {"client": "a"}, "event_time": DAY},
            "expected the entity key `customer`, got `client` at $[3].entity",
        ),
        (
            {"value": "no", "entity": {"customer": 7}, "event_time": DAY},
            "expected string, got 7 at $[3].entity.customer",
        ),
        (
            {"value": "no", "entity": {"customer": None}, "event_time": DAY},
            "expected string, got null at $[3].entity.customer",
        ),
        (
            {"value": "no", "request_id": "a", "known_at": DAY + timedelta(hours=1)},
            "expected a time that has passed, got 2026-11-01T13:00:00+00:00 at $[3].known_at",
        ),
    ],
)  # fmt: skip
def test_a_refusal_says_what_was_expected_and_where(fields: dict[str, Any], says: str) -> None:
    """With the path of the label in what was sent."""
    assert says in refused(Label(**fields))


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+23:00", "0001-01-01T10:00:00Z", "9999-12-31T23:59:59-01:00"]
)
def test_a_time_at_the_end_of_the_calendar_is_refused(text: str) -> None:
    """It is at the end of the calendar there, or in the year 0 or 10000."""
    time, entity = datetime.fromisoformat(text), {"customer": "a"}
    by_entity = Label(value="no", entity=entity, event_time=time)
    assert "expected a time from 0001-01-02 to 9999-12-30 in UTC, got" in refused(by_entity)
    assert refused(by_entity).endswith("at $[3].event_time")
    known = refused(Label(value="no", request_id="a", known_at=time))
    assert known.endswith("at $[3].known_at")


def test_a_refusal_of_several_targets_lists_them() -> None:
    """Also where one value was sent for all."""
    assert "an object of the targets `late`, `gate`, got" in refused(
        Label(request_id="a", value="no"), TWO_TARGETS
    )
    wrong = refused(Label(request_id="a", value={"lat": "no"}), TWO_TARGETS)
    assert "expected a target, got `lat` at $[3].value.lat. the targets are" in wrong.lower()
    wrong = refused(Label(request_id="a", value={"gate": "1"}), TWO_TARGETS)
    assert 'expected one of 1, 2, got "1" at $[3].value.gate' in wrong


def test_without_an_entity_key_only_the_request_names_a_row() -> None:
    """The error says so."""
    label = Label(entity={"customer": "a"}, event_time=DAY, value="no")
    assert "has no entity key" in refused(label, KEYLESS)


def test_values_of_a_key_may_be_text_where_a_file_has_only_text() -> None:
    """In JSON they may not: the caller knows the type."""
    label = Label(entity={"flight": "7", "customer": "a"}, event_time=DAY, value="no")
    assert "expected integer" in refused(label, NUMBERED)
    batch = LabelReader(NUMBERED, coerce=True).records([("", label)], DAY)
    assert batch.column("entity").to_pylist() == ['["7","a"]']


def test_a_time_of_the_request_has_passed() -> None:
    """One that the contract has sent with a request may lie in the future, and is found exactly."""
    label = Label(entity={"customer": "a"}, event_time=DAY + timedelta(hours=1), value="no")
    assert "expected a time that has passed" in refused(label, TIMELESS)
    assert refused(label, TIMELESS).endswith("at $[3].event_time")
    assert len(LabelReader(CONTRACT).records([("", label)], DAY)) == 1
