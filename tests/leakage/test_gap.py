"""Scores from one stage to the next."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gnomon.leakage import LeakageFinding, ScoredStage, check_scores
from gnomon.leakage.gap import SURE, Stage
from gnomon.leakage.measures import deviations
from tests.leakage.data import RNG


def binary(stage: Stage, strength: float, rows: int = 2_000, share: float = 0.3) -> ScoredStage:
    """Answers that separate two classes by so many standard deviations."""
    late = RNG.random(rows) < share
    score = 1 / (1 + np.exp(-(strength * late + RNG.normal(size=rows))))
    labels = np.where(late, "late", "on_time")
    return ScoredStage(stage, labels, np.column_stack([score, 1 - score]), ("late", "on_time"))


def quantity(stage: Stage, noise: float, rows: int = 2_000) -> ScoredStage:
    """Predictions with so much noise."""
    truth = RNG.normal(size=rows)
    return ScoredStage(stage, truth, (truth + noise * RNG.normal(size=rows))[:, None])


def gaps(*scored: ScoredStage) -> tuple[LeakageFinding, ...]:
    """What is found."""
    return check_scores(scored).findings


def test_steady_scores_pass() -> None:
    """They pass over four stages, in any order, and even if the label became rarer."""
    stages: list[ScoredStage] = [
        binary("live", 1.5, share=0.1),
        binary("train", 1.5),
        binary("later", 1.5),
        binary("holdout", 1.5),
    ]
    report = check_scores(stages)
    assert report.findings == ()
    assert report.passed == ("score gap",)


def test_chance_raises_no_alarm() -> None:
    """Two hundred times three stages of 300 rows."""
    found = [
        gaps(*(binary(stage, 1.0, 300) for stage in ("train", "holdout", "later")))
        for _ in range(200)
    ]
    assert sum(map(len, found)) <= 2


@pytest.mark.parametrize(
    ("strengths", "severity", "says"),
    [
        ({"train": 3, "holdout": 1}, "note", "better than others"),
        ({"train": 3, "holdout": 0}, "suspect", "no better than chance"),
        ({"train": 1, "holdout": 2}, "suspect", "easier"),
        ({"holdout": 2, "later": 1}, "suspect", "shares something with training"),
        ({"train": 2, "later": 1}, "note", "or there is concept drift"),
        ({"train": 2, "live": 1}, "note", "or there is concept drift"),
        ({"later": 2, "live": 1}, "suspect", "other values online than offline"),
        ({"holdout": 2, "live": 1}, "suspect", "other values online than offline"),
    ],
)
def test_what_a_gap_suggests(strengths: dict[Any, float], severity: str, says: str) -> None:
    """The two stages decide; both scores and the interval of their difference are reported."""
    (finding,) = gaps(*(binary(stage, strength) for stage, strength in strengths.items()))
    assert finding.severity == severity
    assert says in finding.sentence
    evidence = finding.evidence
    assert evidence.measure == "gap in AUC"
    assert evidence.rows == 4_000
    assert evidence.low is not None
    assert evidence.high is not None
    assert evidence.low > 0.02 or evidence.high < -0.02


def test_a_holdout_of_later_days_makes_a_fall_a_note() -> None:
    """The model ages, so the holdout was not too easy."""
    (finding,) = check_scores([binary("holdout", 2), binary("later", 1)], is_forecast=True).findings
    assert finding.severity == "note"
    assert "concept drift since training" in finding.sentence


def test_an_online_gap_says_what_to_run() -> None:
    """The advice is to compare the log with an offline table."""
    (finding,) = gaps(binary("later", 2), binary("live", 1))
    assert "gnomon compare" in finding.action


def test_a_gap_that_is_sure_and_small_passes() -> None:
    """Effect sizes decide: a hundredth of AUC over half a million rows."""
    assert gaps(binary("train", 1.50, 500_000), binary("holdout", 1.47, 500_000)) == ()


def test_a_gap_that_is_large_and_unsure_passes() -> None:
    """With a hundred rows, such a difference may be chance."""
    assert gaps(binary("holdout", 1.2, 120), binary("later", 1.0, 120)) == ()


def test_the_confidence_is_that_of_all_gaps_together() -> None:
    """With three gaps instead of one, the interval of each is wider."""
    pair = [binary("holdout", 2), binary("later", 1)]
    (alone,) = gaps(*pair)
    (among_three,) = gaps(binary("train", 2), *pair, binary("live", 1))
    widths = []
    for evidence in (alone.evidence, among_three.evidence):
        assert evidence.low is not None
        assert evidence.high is not None
        widths.append(evidence.high - evidence.low)
    wider = deviations(1 - (1 - SURE) / 3) / deviations(SURE)
    assert wider > 1.1
    assert widths[1] / widths[0] == pytest.approx(wider)


def test_a_quantity_is_measured_by_r2() -> None:
    """It is measured as classes are by AUC."""
    (finding,) = gaps(quantity("holdout", 0.3), quantity("later", 0.9))
    assert finding.evidence.measure == "gap in R2"
    assert finding.severity == "suspect"


def test_several_classes_are_measured_each_against_the_rest() -> None:
    """A class that is rare in one stage is left out of all."""

    def three(stage: Stage, strength: float, shares: list[float]) -> ScoredStage:
        kinds = RNG.choice(3, 3_000, p=shares)
        scores = strength * np.eye(3)[kinds] + RNG.normal(size=(3_000, 3))
        return ScoredStage(stage, kinds, scores, (0, 1, 2))

    assert gaps(three("holdout", 1, [0.3, 0.3, 0.4]), three("later", 1, [0.5, 0.499, 0.001])) == ()
    (finding,) = gaps(three("holdout", 2, [0.3, 0.3, 0.4]), three("later", 1, [0.5, 0.4, 0.1]))
    assert finding.severity == "suspect"


def test_few_rows_are_unknown() -> None:
    """The other stages are still compared."""
    found = gaps(binary("holdout", 2), binary("live", 1, 40), binary("later", 1))
    assert [finding.severity for finding in found] == ["suspect", "unknown"]
    assert "live traffic is inconclusive: it has 40 rows; it needs 100" in found[1].sentence


def test_labels_that_are_all_alike_are_unknown() -> None:
    """The score cannot be measured."""
    found = gaps(binary("holdout", 1, share=0.0), binary("train", 1))
    assert {finding.severity for finding in found} == {"unknown"}
    alike = ScoredStage("holdout", np.ones(200), np.ones((200, 1)))
    assert [finding.severity for finding in gaps(alike)] == ["unknown"]


def test_rows_without_a_label_are_left_out() -> None:
    """An outcome that is not in yet."""
    one = binary("live", 1)
    labels = one.labels.astype(object)
    labels[50:] = None
    (finding,) = gaps(ScoredStage("live", labels, one.answers, one.classes))
    assert "it has 50 rows" in finding.sentence
