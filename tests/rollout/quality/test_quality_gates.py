from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from gnomon.policy import QualityRules
from gnomon.rollout.evidence.new_entities import NewEntities
from gnomon.rollout.gate import Gate
from gnomon.rollout.quality.comparison import compare
from gnomon.rollout.quality.losses import RowLosses
from gnomon.rollout.quality.pair_sums import PairSums
from gnomon.rollout.quality.quality_gates import quality_gates, undecidable
from gnomon.rollout.quality.shadow_quality import Cohort, ShadowQuality


def gate(
    better: int,
    worse: int,
    rows: int,
    limit: float = 0.01,
    *,
    missing: int = 0,
    same: int = 0,
    pending: int = 0,
    a_day: float = 100.0,
    rules: Literal["ignored", "worst_case"] = "ignored",
    new: NewEntities | None = None,
    is_past: bool = False,
) -> Gate:
    """The gate of errors of some rows, on which so many the shadow is better, and worse."""
    live, shadow = (np.zeros(rows + missing) for _ in range(2))
    live[:better] = shadow[better : better + worse] = 1.0
    live[rows:] = np.nan
    most = np.where(np.arange(len(live)) >= rows + same, 1.0, 0.0)
    sums = PairSums()
    units = pa.array([f"{i}" for i in range(len(live))], pa.string())
    losses = RowLosses(live, shadow, -most, most)
    sums.add(units, pa.array(np.arange(len(live))), {"error": losses})
    quality = ShadowQuality(
        artifact="toy:next",
        live="toy:live",
        unit="row",
        confidence=0.95,
        cohort=Cohort(
            maturity_days=14,
            pending=pending,
            matured=rows + missing,
            labelled=rows,
            unlabelled=missing,
            labelled_a_day=a_day if rows else 0.0,
            until=datetime.now(UTC),
            recently_labelled=round(7 * a_day) if rows else 0,
            new_entities=new,
        ),
        metrics=(compare("error", 1.0, sums, 0.95, limit=limit),),
    )
    policy = QualityRules(max_increase={"error": limit}, maturity_days=14, missing=rules)
    [found] = quality_gates(policy, quality, is_past=is_past)
    assert (found.awaits is not None) == (found.verdict in ("unknown", "no_data"))
    assert found.name == "quality_error"
    return found


def test_a_shadow_that_is_not_worse_passes() -> None:
    """The complete interval is below the limit."""
    found = gate(30, 30, 5_000)
    assert (found.verdict, found.value, found.count, found.rows) == ("pass", 0.0, 30, 5_000)
    assert found.says.startswith("error 0.006, live 0.006, on 5,000 labelled rows at least 14 days")
    assert found.says.endswith("; limit +0.01")


def test_a_shadow_that_is_worse_fails() -> None:
    """The complete interval is above the limit."""
    found = gate(10, 400, 5_000)
    assert found.verdict == "fail"
    assert found.interval is not None
    assert found.interval.low > 0.01


def test_an_improvement_can_be_asked_for() -> None:
    """A limit of 0 asks for proof that it is better, a negative one for by how much."""
    assert gate(200, 100, 5_000, 0.0).verdict == "pass"
    assert gate(120, 100, 5_000, 0.0).verdict == "unknown"
    assert gate(200, 100, 5_000, -0.05).verdict == "fail"


def test_unknown_says_what_decides_it_and_when() -> None:
    """Labelled rows, at the rate of those that matured in the last week; few rows tell."""
    awaits = gate(3, 5, 300).awaits
    assert awaits is not None
    assert awaits.rows is not None
    assert awaits.seconds == pytest.approx(awaits.rows / 100 * 86_400)
    assert "more labelled rows if the difference stays (only the 2.67% where" in awaits.says
    assert awaits.says.endswith("at the 700 of the last 7 days")
    stopped = gate(3, 5, 300, a_day=0.0).awaits
    assert stopped is not None
    assert stopped.seconds is None
    assert stopped.says.endswith("no label of a row of the last week came")


def test_a_range_that_is_over_tells_no_time() -> None:
    """No row is added to it while one waits."""
    awaits = gate(3, 5, 300, is_past=True).awaits
    assert awaits is not None
    assert awaits.rows is not None
    assert awaits.seconds is None
    assert "in about" not in awaits.says


def test_rows_of_known_entities_are_not_waited_for() -> None:
    """2,800 rows came, of 700 new entities: the time is that of entities; of none it is unknown."""
    new = NewEntities(seconds=7 * 86_400, rows=(1_400, 1_400), new=(350, 350))
    awaits = gate(3, 5, 300, new=new).awaits
    assert awaits is not None
    assert awaits.rows is not None
    assert awaits.seconds == pytest.approx(awaits.rows / 100 * 86_400)
    assert awaits.says.endswith("at the 700 entities that were new in the last 7 days")
    awaits = gate(3, 5, 300, new=msgspec.structs.replace(new, new=(0, 0))).awaits
    assert awaits is not None
    assert awaits.seconds is None
    assert awaits.says.endswith("; none of the 2,800 rows of the last 7 days is of a new one")


def test_no_labels_are_no_data() -> None:
    """It says how to give them, and that rows must become old enough first."""
    without = gate(0, 0, 0, missing=40)
    assert without.verdict == "no_data"
    assert without.says == "none of 40 rows at least 14 days old that both answered has a label"
    assert without.awaits is not None
    assert "gnomon labels import" in without.awaits.says
    young = gate(0, 0, 0, pending=7).awaits
    assert young is not None
    assert young.says.startswith("needs 7 rows to become 14 days old")
    none = gate(0, 0, 0).awaits
    assert none is not None
    assert none.says.startswith("needs rows that the shadow scores")


def test_missing_labels_may_be_taken_at_their_worst() -> None:
    """Then a tenth without labels keeps a gate open that passes on the others."""
    assert gate(30, 30, 5_000, missing=500).verdict == "pass"
    found = gate(30, 30, 5_000, missing=500, rules="worst_case")
    assert found.verdict == "unknown"
    assert "500 rows without a label taken at their worst" in found.says
    assert found.awaits is not None
    assert "`gnomon labels wanted`" in found.awaits.says


def test_labels_of_the_rows_that_differ_are_enough() -> None:
    """19,917 rows without a label have the same answers: 83 labels decide as 20,000 would, although
    the mean over the labelled rows alone is far above the limit.
    """
    found = gate(38, 45, 83, 0.01, missing=19_917, same=19_917, rules="worst_case")
    assert (found.verdict, found.value) == ("pass", pytest.approx(7 / 83))
    assert found.interval == gate(38, 45, 20_000, 0.01).interval
    assert gate(38, 45, 83, 0.01, missing=19_917, same=19_000, rules="worst_case").verdict != "pass"


def test_a_limit_beyond_every_loss_is_not_waited_for() -> None:
    """An error cannot improve by more than 1."""
    assert gate(30, 30, 100, limit=-1.5).verdict == "fail"
    assert gate(30, 30, 100, limit=1.5).verdict == "pass"


def test_what_cannot_be_measured_is_unknown_with_the_reason() -> None:
    """Never a verdict on the shadow."""
    [found] = undecidable(QualityRules(max_increase={"brier": 0.0}), "the artifact is gone")
    assert (found.verdict, found.says) == ("unknown", "the artifact is gone")
    assert found.awaits is not None
