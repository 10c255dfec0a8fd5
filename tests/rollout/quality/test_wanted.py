from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pyarrow.csv
import pytest

from gnomon.labels.imports.label_import import import_file
from gnomon.labels.label_store import LabelStore
from gnomon.labels.matching import match
from gnomon.log import InferenceLog
from gnomon.policy import Decision, Metric, Policy
from gnomon.rollout.quality.paired_rows import LABELS, PairedRun
from gnomon.rollout.quality.question import question
from gnomon.rollout.quality.wanted import wanted_rows
from gnomon.settings import Settings
from tests.labels import labelled_log
from tests.rollout.quality.rows import BY_CUSTOMER, CLASSIFIER, RUN, Row, log_rows

ROWS = [
    Row(0.2, 0.2, customer="same"),
    Row(0.1, 0.9, customer="far"),
    Row(0.1, 0.9, "late", customer="labelled"),
    Row(0.4, 0.6, customer="near"),
    Row(0.4, 0.45, customer="same decision"),
]


def wanted(
    settings: Settings, metric: Metric, rows: int = 10, policy: Policy | None = None
) -> list[dict[str, object]]:
    labels = log_rows(settings, ROWS)
    asked = question(CLASSIFIER, CLASSIFIER, policy or Policy())
    run = replace(RUN, shadow_contract=BY_CUSTOMER)
    found = wanted_rows(InferenceLog(settings, "toy"), run, asked, labels, metric, rows)
    listed: list[dict[str, object]] = found.to_pylist()
    return listed


def test_rows_with_the_largest_effect_come_first(settings: Settings) -> None:
    """Not those that have a label, nor those where no label makes a difference."""
    found = wanted(settings, "brier")
    assert [row["customer"] for row in found] == ["far", "near", "same decision"]
    assert found[0]["effect"] == pytest.approx(2 * (0.9 - 0.1))
    assert list(found[0]) == [
        "request_id", "row", "arrived", "customer", "live_prediction", "shadow_prediction",
        "effect", "value",
    ]  # fmt: skip
    assert (found[0]["live_prediction"], found[0]["shadow_prediction"]) == ("on_time", "late")
    assert found[0]["value"] is None


def test_of_decisions_only_discordant_rows_are_wanted(settings: Settings) -> None:
    """Each has the same effect; which come first does not depend on the order of the log."""
    found = wanted(settings, "error")
    assert {row["customer"] for row in found} == {"far", "near"}
    assert [row["effect"] for row in found] == [2.0, 2.0]
    assert [row["customer"] for row in wanted(settings, "error", 1)] == [found[0]["customer"]]


def test_decisions_by_a_threshold_are_shown(settings: Settings) -> None:
    """They may differ where the predicted classes do not: one sees why the row is wanted."""
    policy = Policy(decision=Decision(output="probability_late", threshold=0.42))
    found = {row["customer"]: row for row in wanted(settings, "error", policy=policy)}
    row = found["same decision"]
    assert (row["live_prediction"], row["shadow_prediction"]) == ("on_time", "on_time")
    assert (row["live_probability_late"], row["shadow_probability_late"]) == (0.4, 0.45)
    assert (row["live_decision"], row["shadow_decision"]) == ("no", "yes")
    assert list(row)[4:] == [
        "live_prediction", "shadow_prediction", "live_probability_late", "shadow_probability_late",
        "live_decision", "shadow_decision", "effect", "value",
    ]  # fmt: skip


def test_the_event_time_is_listed_with_the_entity_key(settings: Settings) -> None:
    """A label may name its row by both."""
    labels = log_rows(settings, ROWS)
    timed = msgspec.structs.replace(BY_CUSTOMER, event_time="hour")
    asked = question(CLASSIFIER, CLASSIFIER, Policy())
    for count in (10, 0):
        some = ROWS[:1] if not count else ROWS
        run = replace(RUN, shadow_contract=timed)
        found = wanted_rows(InferenceLog(settings, "toy"), run, asked, labels, "brier", len(some))
        assert found.column_names[2:5] == ["arrived", "customer", "hour"]
    assert found.column("hour").to_pylist()[0] == 0.0


def test_a_filled_in_list_is_imported_and_every_label_finds_its_row(
    settings: Settings, tmp_path: Path
) -> None:
    """By request id, or by entity and event time if the file has only these."""
    hours = (0, 1, 2)
    logged = labelled_log.log_live(settings, [{"customer": "a", "hour": hour} for hour in hours])
    labelled_log.log_shadow(settings, logged)
    contract = labelled_log.CONTRACT
    run = PairedRun(labelled_log.LIVE, contract, labelled_log.SHADOW, contract)
    asked = question(contract, contract, Policy())
    log, none = InferenceLog(settings, "toy"), LABELS.empty_table()
    found = wanted_rows(log, run, asked, none, "error", 10)
    assert found.num_rows == len(hours)
    filled = found.drop_columns(["value"]).append_column("value", [["yes"] * len(hours)])
    path = tmp_path / "wanted.csv"
    for file in (filled, filled.select(["customer", "asked", "value"])):
        pyarrow.csv.write_csv(file, path)
        store = LabelStore(settings, path.name)
        assert import_file(store, contract, path, columns={}).stored == len(hours)
        with log.snapshot() as snapshot:
            matches = match(store.read(), snapshot, contract, within=timedelta(hours=1))
        assert matches.reasons.tolist() == [None] * len(hours)
        path = tmp_path / "by_entity.csv"


def test_nothing_is_wanted_where_all_agree(settings: Settings) -> None:
    """The columns are there."""
    labels = log_rows(settings, ROWS[:1])
    asked = question(CLASSIFIER, CLASSIFIER, Policy())
    found = wanted_rows(InferenceLog(settings, "toy"), RUN, asked, labels, "error", 10)
    assert (found.num_rows, found.column_names[-2:]) == (0, ["effect", "value"])
