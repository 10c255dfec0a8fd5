from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from gnomon.log import InferenceLog
from gnomon.rollout.quality.paired_rows import PairedRun, paired_rows
from gnomon.settings import Settings
from tests.rollout.quality.rows import BY_CUSTOMER, NOW, RUN, Row, log_rows


def paired(settings: Settings, labels: pa.Table, run: PairedRun = RUN) -> list[dict[str, object]]:
    found = []
    for part in paired_rows(InferenceLog(settings, "toy"), run, labels, ["hour"]):
        for i, row in enumerate(part.rows.to_pylist()):
            answers = {
                side: outputs["probability_late"][i].as_py()
                for side, outputs in (("live", part.live), ("shadow", part.shadow))
            }
            found.append({**row, **answers, "unit": part.units[i].as_py()})
    return sorted(found, key=lambda row: str(row["request_id"]))


def test_both_answers_and_the_label_of_each_row_come_together(settings: Settings) -> None:
    """A row without a label has a null; a feature comes as live read it."""
    labels = log_rows(settings, [Row(0.2, 0.3, "late", hour=7.0), Row(0.8, 0.9)])
    first, second = paired(settings, labels)
    assert (first["live"], first["shadow"], first["label"]) == (0.2, 0.3, "late")
    assert (first["input_hour"], first["unit"]) == (7.0, "r0")
    assert (second["live"], second["shadow"], second["label"]) == (0.8, 0.9, None)


def test_the_unit_is_the_entity(settings: Settings) -> None:
    """A row whose key has a null is of its request."""
    labels = log_rows(settings, [Row(0.2, 0.3, customer="ann"), Row(0.8, 0.9)])
    found = paired(settings, labels, replace(RUN, shadow_contract=BY_CUSTOMER))
    assert [row["unit"] for row in found] == ["ann", "r1"]


def test_only_rows_of_the_run_are_paired(settings: Settings) -> None:
    """By epoch, by the live artifact and by time."""
    labels = log_rows(settings, [Row(0.1, 0.1), Row(0.2, 0.2, days_old=5)])
    log_rows(settings, [Row(0.3, 0.3)], epoch=4, since=2)
    assert len(paired(settings, labels)) == 3
    assert [row["live"] for row in paired(settings, labels, replace(RUN, epoch=4))] == [0.3]
    week = replace(RUN, epoch=2, start=NOW - timedelta(days=2), end=NOW)
    assert [row["live"] for row in paired(settings, labels, week)] == [0.1]
    assert paired(settings, labels, replace(RUN, live="toy:older")) == []


def test_a_feature_that_was_never_logged_is_left_out(settings: Settings) -> None:
    """So is an output, as of a shadow that has not scored yet: it is null."""
    labels = log_rows(settings, [Row(0.1, 0.1)])
    [part] = paired_rows(InferenceLog(settings, "toy"), RUN, labels, ["nothing"])
    assert "input_nothing" not in part.rows.schema.names
    contract = replace_output(RUN)
    [part] = paired_rows(InferenceLog(settings, "toy"), contract, labels)
    assert part.shadow["probability_never"].to_pylist() == [None]


def replace_output(run: PairedRun) -> PairedRun:
    """The same run, if the shadow's contract had another probability."""
    from msgspec import structs

    outputs = (*run.shadow_contract.outputs[:2],)
    renamed = structs.replace(outputs[1], name="probability_never")
    contract = structs.replace(run.shadow_contract, outputs=(outputs[0], renamed))
    return replace(run, shadow_contract=contract)


@pytest.mark.parametrize("rows", [0, 3])
def test_memory_does_not_need_every_row_at_once(settings: Settings, rows: int) -> None:
    """Rows come in batches; none where there are none."""
    labels = log_rows(settings, [Row(0.1, 0.1)] * max(rows, 1))
    run = RUN if rows else replace(RUN, epoch=99)
    found = paired_rows(InferenceLog(settings, "toy"), run, labels)
    assert sum(part.rows.num_rows for part in found) == rows
