"""Which logged row a label is about, and why there is none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gnomon.contract.contract import Contract
from gnomon.labels.label import Label
from gnomon.labels.matching import match
from gnomon.log import InferenceLog, new_request_id
from gnomon.settings import Settings
from tests.labels.labelled_log import CONTRACT, DAY, TIMELESS, log_live, stored


def found(
    settings: Settings,
    *labels: Label,
    contract: Contract = CONTRACT,
    hours: float = 24,
    **ends: Any,
) -> list[Any]:
    """Return, for each label, the request id and row it is about, or the reason."""
    records = stored(*labels, contract=contract)
    with InferenceLog(settings, "toy").snapshot() as log:
        matches = match(records, log, contract, within=timedelta(hours=hours), **ends)
    rows = matches.rows.to_pylist()
    return [
        reason or (rows[place]["request_id"], rows[place]["row"])
        for place, reason in zip(matches.places, matches.reasons, strict=True)
    ]


def entity(customer: str, hour: float) -> Label:
    return Label(entity={"customer": customer}, event_time=DAY + timedelta(hours=hour), value="no")


def test_by_request_and_row(settings: Settings) -> None:
    """Row 0 is meant if none is given."""
    one, two = new_request_id(), new_request_id()
    log_live(settings, [{"request_id": one, "row": 0}, {"request_id": one, "row": 1}])
    log_live(settings, [{"request_id": two}])
    labels = [Label(request_id=r, row=n, value="no") for r, n in ((one, 1), (two, 0), (two, 1))]
    assert found(settings, *labels) == [(one, 1), (two, 0), "not_logged"]


def test_by_the_id_that_the_client_sent(settings: Settings) -> None:
    """The client may keep its own id; one that it used twice says nothing."""
    rows = [{"client_id": client} for client in ("order-1", "twice", "twice")]
    one, *_ = log_live(settings, rows)
    labels = [Label(request_id=name, value="no") for name in ("order-1", "twice", "order-2")]
    assert found(settings, *labels) == [(one, 0), "ambiguous", "not_logged"]


def test_by_entity_at_exactly_the_event_time(settings: Settings) -> None:
    """With an event time, the nearest is not good enough, and two are one too many."""
    rows = [{"customer": name, "hour": hour} for name, hour in (("a", 0), ("a", 1), ("b", 1))]
    first, second, third = log_live(settings, rows)
    log_live(settings, [{"customer": "c", "hour": 2}, {"customer": "c", "hour": 2}])
    labels = [entity(*one) for one in (("a", 0), ("a", 1), ("b", 1), ("a", 1.5), ("c", 2))]
    assert found(settings, *labels) == [
        (first, 0), (second, 0), (third, 0), "not_logged", "ambiguous"
    ]  # fmt: skip


def test_by_entity_the_last_request_at_or_before(settings: Settings) -> None:
    """Without an event time, within a span before the label's time; ties are ambiguous."""
    rows = [{"customer": name, "hour": hour} for name, hour in (("a", 0), ("b", 1), ("a", 5))]
    first, _, last = log_live(settings, rows)
    log_live(settings, [{"customer": "c", "hour": 1}])
    log_live(settings, [{"customer": "c", "hour": 1}])
    labels = [
        entity(*one)
        for one in (("a", 4.9), ("a", 5), ("a", 28), ("a", 30), ("b", 0.5), ("c", 2), ("d", 2))
    ]
    assert found(settings, *labels, contract=TIMELESS) == [
        (first, 0), (last, 0), (last, 0), "not_logged", "not_logged", "ambiguous", "not_logged"
    ]  # fmt: skip
    assert found(settings, entity("a", 28), contract=TIMELESS, hours=2) == ["not_logged"]


def test_a_row_without_an_answer_says_so_and_a_retry_is_found(settings: Settings) -> None:
    """The client sent a row again after a failure: the answered one is meant."""
    failed, _ = log_live(settings, [{"outcome": "failed"}, {"customer": "a", "outcome": "shed"}])
    again, *_ = log_live(settings, [{"customer": "a"}])
    labels = Label(request_id=failed, value="no"), entity("a", 0)
    assert found(settings, *labels) == ["not_answered", (again, 0)]


def test_what_is_older_than_the_log_says_so(settings: Settings) -> None:
    """Retention removed its row: that is no mistake in the label."""
    log_live(settings, [{}])
    old = "01a00000-0000-7000-8000-000000000000"
    labels = Label(request_id=old, value="no"), entity("a", -1), entity("a", 1)
    assert found(settings, *labels) == ["older_than_log", "older_than_log", "not_logged"]


def test_an_event_within_the_logged_ones_is_not_older_though_it_came_before_their_arrival(
    settings: Settings,
) -> None:
    """Requests may arrive long after their events: an unknown entity is a mistake in the label."""
    log_live(settings, [{"input_asked": DAY - timedelta(days=9), "customer": "a"}, {}])
    labels = entity("b", -24), entity("b", -24 * 10)
    assert found(settings, *labels) == ["not_logged", "older_than_log"]


def test_an_id_that_has_no_time_is_not_logged(settings: Settings) -> None:
    """It is stored for good, and must not keep the other labels from being read."""
    log_live(settings, [{}])
    label = Label(request_id="ffffffff-ffff-7fff-bfff-ffffffffffff", value="no")
    assert found(settings, label) == ["not_logged"]


def test_a_range_does_not_change_which_request_was_the_last(settings: Settings) -> None:
    """The label is about the request after its end, and not about one within it."""
    rows = [{"customer": "a", "hour": hour} for hour in (0, 2)]
    first, last = log_live(settings, rows)
    labels, noon = (entity("a", 8), entity("a", 1)), DAY + timedelta(hours=1)
    assert found(settings, *labels, contract=TIMELESS) == [(last, 0), (first, 0)]
    assert found(settings, *labels, contract=TIMELESS, end=noon) == ["not_logged", (first, 0)]
    later = found(settings, *labels, contract=TIMELESS, start=noon)
    assert later == [(last, 0), "older_than_log"]


def test_a_key_that_a_row_before_the_range_has_too_is_ambiguous(settings: Settings) -> None:
    """As it is in the whole log; only rows of the range are returned."""
    rows = [
        {"client_id": "twice", "hour": 0, "customer": "a", "input_asked": DAY},
        {"client_id": "once", "hour": 1},
        {"client_id": "twice", "hour": 2, "customer": "a", "input_asked": DAY},
    ]
    early = log_live(settings, rows)[1]
    labels = *(Label(request_id=name, value="no") for name in ("twice", "once")), entity("a", 0)
    assert found(settings, *labels) == ["ambiguous", (early, 0), "ambiguous"]
    naive = (DAY + timedelta(hours=2)).replace(tzinfo=None)
    assert found(settings, *labels, start=naive) == ["ambiguous", "not_logged", "ambiguous"]
    later = found(settings, *labels, end=DAY + timedelta(hours=2))
    assert later == ["ambiguous", (early, 0), "ambiguous"]


def test_a_row_found_in_two_ways_is_one_row(settings: Settings) -> None:
    """So that labels given in both ways can be seen to contradict."""
    [one] = log_live(settings, [{"customer": "a"}])
    labels = Label(request_id=one, value="no"), entity("a", 0)
    assert found(settings, *labels) == [(one, 0), (one, 0)]
    records = stored(*labels)
    with InferenceLog(settings, "toy").snapshot() as log:
        assert match(records, log, CONTRACT, within=timedelta(1)).rows.num_rows == 1


def test_a_label_of_another_entity_key_is_not_matched(settings: Settings) -> None:
    """It was stored when the contract had another one."""
    log_live(settings, [{"customer": "a"}])
    records = stored(entity("a", 0))
    other = records.set_column(2, "entity_key", [['["client"]']])
    with InferenceLog(settings, "toy").snapshot() as log:
        matches = match(other, log, CONTRACT, within=timedelta(1))
    assert matches.reasons.tolist() == ["not_logged"]
