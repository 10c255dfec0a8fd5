"""Labels joined with what live and a shadow answered."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
from msgspec import structs

from gnomon.contract.contract import Feature, Output
from gnomon.labels.label import Label
from gnomon.labels.labelled_rows import ShadowAnswers
from gnomon.settings import Settings
from tests.labels.labelled_log import (
    ANSWERS,
    CONTRACT,
    DAY,
    LIVE,
    SHADOW,
    TWO_TARGETS,
    joined,
    log_live,
    log_shadow,
    stored,
)


def test_a_label_is_joined_with_the_answers_of_live_and_of_a_shadow(settings: Settings) -> None:
    """By request id: the entity, both answers, the label, and since when it is known."""
    one, _ = log_live(settings, [{"customer": "a"}, {"customer": "b"}])
    log_shadow(settings, [one])
    known = DAY + timedelta(days=3)
    records = stored(Label(request_id=one, value="no", known_at=known))
    [row] = joined(settings, records, shadow=ANSWERS)
    assert row == {
        "request_id": one, "row": 0, "arrived": DAY, "artifact": LIVE, "input_customer": "a",
        "live_prediction": "yes", "live_probability_no": None, "live_probability_yes": 0.75,
        "shadow_outcome": "scored", "shadow_epoch": 2, "agreed": False, "flipped": True,
        "shadow_prediction": "no", "shadow_probability_no": None, "shadow_probability_yes": 0.25,
        "label": "no", "known_at": known, "received_at": DAY + timedelta(days=30),
    }  # fmt: skip


def test_a_row_that_the_shadow_did_not_see_has_no_answer_of_it(settings: Settings) -> None:
    """It is still a labelled row of live."""
    one, two = log_live(settings, [{"hour": 0}, {"hour": 1}])
    log_shadow(settings, [two])
    records = stored(Label(request_id=one, value="yes"), Label(request_id=two, value="yes"))
    rows = joined(settings, records, shadow=ANSWERS)
    assert [row["shadow_outcome"] for row in rows] == [None, "scored"]
    assert [row["shadow_prediction"] for row in rows] == [None, "no"]


def test_only_rows_of_a_range_and_of_a_live_artifact(settings: Settings) -> None:
    """What else has labels is left out."""
    ids = log_live(settings, [{"hour": 0}, {"hour": 1}, {"hour": 2, "artifact": "toy:old"}])
    records = stored(*(Label(request_id=request, value="yes") for request in ids))
    assert [row["request_id"] for row in joined(settings, records)] == ids
    assert [row["request_id"] for row in joined(settings, records, live=LIVE)] == ids[:2]
    later = joined(settings, records, start=DAY + timedelta(minutes=30))
    assert [row["request_id"] for row in later] == ids[1:]


def test_targets_may_be_known_one_after_the_other(settings: Settings) -> None:
    """Each has a column in the type of its classes; the row is known since the last."""
    one, two = log_live(settings, [{"hour": 0}, {"hour": 1}], TWO_TARGETS)
    days = [DAY + timedelta(days=day) for day in range(3)]
    records = stored(
        Label(request_id=one, value={"late": "no"}, known_at=days[1]),
        Label(request_id=one, value={"gate": 2}, known_at=days[2]),
        Label(request_id=two, value={"gate": 1}, known_at=days[1]),
        contract=TWO_TARGETS,
    )
    first, second = joined(settings, records, TWO_TARGETS)
    assert (first["label_late"], first["label_gate"], first["known_at"]) == ("no", 2, days[2])
    assert (second["label_late"], second["label_gate"]) == (None, 1)


def test_a_feature_can_be_added(settings: Settings) -> None:
    """Segments of quality need features besides the key."""
    [one] = log_live(settings, [{"customer": "a"}])
    [row] = joined(settings, stored(Label(request_id=one, value="yes")), inputs=["asked"])
    assert (row["input_customer"], row["input_asked"]) == ("a", DAY)


def test_rows_of_an_artifact_with_other_types_break_nothing(settings: Settings) -> None:
    """A newly promoted artifact reads the log of the one before: what it cannot read is null."""
    [one] = log_live(settings, [{"customer": "a"}])
    log_shadow(settings, [one])
    number = Feature(name="customer", type="integer", dtype="int64")
    changed = structs.replace(
        CONTRACT,
        features=(number, *CONTRACT.features[1:]),
        outputs=(Output(name="prediction", type="boolean"), *CONTRACT.outputs[1:]),
        classes=(False, True),
    )
    records = stored(
        Label(request_id=one, value=True),
        Label(entity={"customer": 7}, event_time=DAY, value=True),
        contract=changed,
    )
    shadow = ShadowAnswers(SHADOW, changed)
    [row] = joined(settings, records, changed, shadow=shadow)
    assert (row["request_id"], row["label"]) == (one, True)
    assert (row["input_customer"], row["live_prediction"], row["shadow_prediction"]) == (None,) * 3
    assert row["shadow_probability_yes"] == 0.25


def test_without_labels_there_are_no_rows(settings: Settings) -> None:
    """That is the state of every deployment at first."""
    log_shadow(settings, log_live(settings, [{}]))
    assert joined(settings, stored()) == joined(settings, stored(), shadow=ANSWERS) == []
    nothing = stored().slice(0, 0).combine_chunks()
    assert joined(settings, pa.table(nothing.columns, schema=nothing.schema)) == []


def test_rows_without_a_certain_label_are_left_out(settings: Settings) -> None:
    """Contradictory labels are none."""
    one, two = log_live(settings, [{}, {}])
    records = stored(
        Label(request_id=one, value="yes"),
        Label(request_id=one, value="no"),
        Label(request_id=two, value="yes"),
    )
    assert [row["request_id"] for row in joined(settings, records)] == [two]


def test_a_label_that_only_an_earlier_contract_allowed_is_no_label(settings: Settings) -> None:
    """The classes were text, and now are integers; the others can still be read."""
    one, two = log_live(settings, [{"hour": 0}, {"hour": 1}])
    records = stored(Label(request_id=one, value="no"), Label(request_id=two, value="yes"))
    values = pa.array(["no", "7"])
    records = records.set_column(records.column_names.index("value"), "value", values)
    outputs = (Output(name="prediction", type="integer"),)
    numbered = structs.replace(CONTRACT, outputs=outputs, classes=())
    [row] = joined(settings, records, numbered)
    assert (row["request_id"], row["label"]) == (two, 7)
