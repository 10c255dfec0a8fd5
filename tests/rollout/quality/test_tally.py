from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from msgspec import structs

from gnomon.artifact.profile import SCHEMA
from gnomon.drift.bins import Bins
from gnomon.drift.segments import Segments
from gnomon.log import InferenceLog
from gnomon.policy import Decision, GateLimits, Policy, QualityRules
from gnomon.rollout.quality.comparison import compare
from gnomon.rollout.quality.losses import RowLosses
from gnomon.rollout.quality.pair_sums import PairSums
from gnomon.rollout.quality.paired_rows import PairedRun, paired_rows
from gnomon.rollout.quality.question import question
from gnomon.rollout.quality.shadow_quality import ShadowQuality
from gnomon.rollout.quality.tally import QualityTally
from gnomon.settings import Settings
from tests.rollout.quality.rows import BY_CUSTOMER, CLASSIFIER, NOW, RUN, Row, log_rows

RARELY = Policy(decision=Decision(output="probability_late", threshold=0.3))


def tallied(
    settings: Settings,
    rows: list[Row],
    policy: Policy | None = None,
    *,
    run: PairedRun = RUN,
    until: datetime = NOW,
    limits: GateLimits | None = None,
    segments: dict[str, Segments] | None = None,
) -> ShadowQuality:
    labels = log_rows(settings, rows)
    asked = question(CLASSIFIER, CLASSIFIER, policy or Policy())
    tally = QualityTally(asked, run, until, limits or GateLimits(), segments)
    for part in paired_rows(InferenceLog(settings, "toy"), run, labels, list(segments or ())):
        tally.add(part)
    return tally.quality(0.95)


ROWS = [
    Row(0.2, 0.9, "late", days_old=10),
    Row(0.8, 0.7, "on_time", days_old=10),
    Row(0.4, 0.4, None, days_old=10),
    Row(0.9, 0.1, "late", days_old=1),
]


def test_only_rows_that_are_old_enough_count(settings: Settings) -> None:
    """The labels of younger ones came early, and do not count yet."""
    week = tallied(settings, ROWS, until=NOW - timedelta(days=7))
    cohort = week.cohort
    assert (cohort.matured, cohort.labelled, cohort.unlabelled, cohort.pending) == (3, 2, 1, 1)
    error, brier, _ = week.metrics
    assert (error.metric, error.rows, error.missing) == ("error", 2, 1)
    assert (error.live, error.shadow, error.better, error.worse) == (1.0, 0.5, 1, 0)
    assert (brier.live, brier.shadow) == pytest.approx((0.64, 0.25))
    assert week.unit == "row"


def test_labels_a_day_are_of_the_last_week_that_matured(settings: Settings) -> None:
    """Older labels do not count."""
    rows = [Row(0.2, 0.9, "late", days_old=3)] * 7 + [Row(0.1, 0.1, "late", days_old=30)]
    assert tallied(settings, rows).cohort.labelled_a_day == 1.0


def test_the_rate_of_labels_is_of_the_days_there_were(settings: Settings) -> None:
    """Two labels in one day are two a day, not two a week."""
    cohort = tallied(settings, ROWS[:2], until=NOW - timedelta(days=9)).cohort
    assert cohort.labelled_a_day == pytest.approx(2.0)


def test_selection_by_lives_decision_is_shown(settings: Settings) -> None:
    """Only those that live let through are ever labelled: it says so."""
    rows = [Row(0.9, 0.8)] * 3 + [Row(0.1, 0.2, "on_time")] * 2
    found = tallied(settings, rows, RARELY).by_decision
    assert [(s.decided, s.rows, s.labelled) for s in found] == [("no", 2, 2), ("yes", 3, 0)]
    by_class = tallied(settings, [], None).by_decision
    assert [s.decided for s in by_class] == ["late", "on_time"]


def test_the_areas_need_both_classes(settings: Settings) -> None:
    """They are of the labelled rows only."""
    rows = [Row(0.1 + i / 20, 0.9 - i / 20, "late" if i % 2 else "on_time") for i in range(10)]
    auc = tallied(settings, [*rows, Row(0.5, 0.5)], RARELY).auc
    assert auc is not None
    assert (auc.positives, auc.negatives) == (5, 5)
    assert auc.live == pytest.approx(1 - auc.shadow)


def test_units_are_entities_where_the_contract_has_a_key(settings: Settings) -> None:
    """Ten rows of two customers are two units; with bursts, blocks of them are."""
    rows = [Row(0.2, 0.9, "late", customer=f"c{i % 2}") for i in range(10)]
    run = replace(RUN, shadow_contract=BY_CUSTOMER)
    found = tallied(settings, rows, run=run)
    assert (found.unit, found.metrics[0].units, found.metrics[0].rows) == ("entity", 2, 10)
    assert found.metrics[0].better_interval is None
    blocks = tallied(settings, [], run=run, limits=GateLimits(longest_burst=5))
    assert (blocks.unit, blocks.metrics[0].units) == ("block", 0)


def test_rows_of_one_request_count_once(settings: Settings) -> None:
    """Fifty equal rows in each of 30 requests tell as much as one row in each."""
    one = [Row(0.2, 0.9, ("late", "on_time")[i % 3 == 0], request=f"q{i}") for i in range(30)]
    often = tallied(settings, [row for row in one for _ in range(50)])
    error = often.metrics[0]
    assert (often.unit, error.units, error.rows, error.better_interval) == (
        "request", 30, 1_500, None,
    )  # fmt: skip
    sums = PairSums()
    differences = np.where(np.arange(30) % 3 == 0, 1.0, -1.0)
    live, ends = np.where(differences < 0, 1.0, 0.0), np.ones(30)
    units = pa.array([str(i) for i in range(30)])
    losses = RowLosses(live, live + differences, -ends, ends)
    sums.add(units, pa.array(np.arange(30)), {"error": losses})
    assert error.interval == pytest.approx(compare("error", 1.0, sums, 0.95).interval)


def test_rows_of_several_entities_in_one_request_are_sent_together(settings: Settings) -> None:
    """300 customers in three bulk requests are three observations of what was wrong with them."""
    run = replace(RUN, shadow_contract=BY_CUSTOMER)
    rows = [Row(0.9, 0.2, "late", customer=f"c{i}", request=f"q{i % 3}") for i in range(300)]
    bulk = tallied(settings, rows, run=run).metrics[0]
    assert (bulk.units, bulk.requests) == (300, 3)
    assert bulk.interval.low < 0 < bulk.interval.high
    alone = [row._replace(request=None, customer=f"d{i}") for i, row in enumerate(rows)]
    elsewhere = structs.replace(settings, root=f"{settings.root}-alone")
    single = tallied(elsewhere, alone, run=run).metrics[0]
    assert (single.units, single.requests) == (300, None)
    assert single.interval.low > 0.5


def test_quality_is_reported_by_segment(settings: Settings) -> None:
    """By value or range of a feature, as drift names them."""
    row = dict.fromkeys(SCHEMA.names)
    bins = Bins.read(
        {**row, "kind": "input", "name": "hour", "rows": 4, "nulls": 0, "mean": 1.0, "std": 1.0,
         "minimum": 0.0, "maximum": 1.0, "edges": [1.0], "counts": [2, 2]}
    )  # fmt: skip
    rows = [Row(0.2, 0.9, "late", hour=0.0)] * 3 + [Row(0.2, 0.1, "on_time", hour=1.0)]
    found = tallied(settings, rows, segments={"hour": Segments(bins)}).segments
    assert [(s.feature, s.value, s.metrics[0].rows) for s in found] == [
        ("hour", "0", 3), ("hour", "1", 1),
    ]  # fmt: skip
    assert (found[0].metrics[0].better, found[1].metrics[0].better) == (3, 0)
    assert found[0].metrics[0].worst_case is None


def test_rules_reach_the_report(settings: Settings) -> None:
    """The age is that of the policy."""
    policy = Policy(quality=QualityRules(maturity_days=3.5))
    assert tallied(settings, ROWS, policy).cohort.maturity_days == 3.5
