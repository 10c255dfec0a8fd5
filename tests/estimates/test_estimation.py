"""Quality estimated from the log, beside what labels say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from gnomon.contract import Contract
from gnomon.estimates.estimation import EstimatedRows, estimate
from gnomon.estimates.quality_estimate import QualityEstimate
from gnomon.policy import Policy, QualityRules
from gnomon.rollout.quality.question import question
from gnomon.settings import Settings
from tests.estimates.served import (
    CLASSIFIER,
    NOW,
    REGRESSOR,
    TAG,
    Served,
    classified,
    features,
    log_of,
    log_served,
    predicted,
)
from tests.profiled import profiled

DAY = timedelta(days=1)


def estimated(
    settings: Settings,
    contract: Contract,
    labels: pa.Table,
    *,
    training: tuple[float, float] = (-2.0, 2.0),
    rules: QualityRules | None = None,
    **rows: Any,
) -> QualityEstimate:
    """Estimate the logged rows of an artifact that was trained on this range of x."""
    random = np.random.default_rng(7)
    inputs = features(random.uniform(*training, 5_000), random)
    policy = Policy(quality=rules or QualityRules(max_error=10.0))
    artifact = profiled(contract, TAG, inputs)
    asked = question(contract, contract, policy)
    chosen = EstimatedRows(artifact, "live", **{"chunk": DAY, **rows})
    with log_of(settings).snapshot() as snapshot:
        return estimate(snapshot, chosen, asked, labels, policy, now=NOW)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


def test_a_classifier_is_estimated_from_corrected_probabilities(
    settings: Settings, random: np.random.Generator
) -> None:
    """It is too sure of itself, so its own probabilities would promise too much."""
    days: dict[float, Served] = {age: classified(1_500, random) for age in (4.0, 3.0, 2.0, 1.0)}
    found = estimated(settings, CLASSIFIER, log_served(settings, CLASSIFIER, days, labelled=2.0))
    assert (found.method, found.reason) == ("CBPE", "")
    assert found.reference is not None
    assert found.reference.calibrated is True
    assert found.reference.rows == 2_250
    *_, realised, latest = found.chunks
    assert {chunk.state for chunk in found.chunks} == {"estimated"}
    error, brier = realised.metrics[:2]
    assert (error.metric, error.labelled, error.as_estimated) == ("error", 1_500, True)
    assert error.estimate == pytest.approx(0.29, abs=0.03)
    assert brier.as_estimated is True
    assert (latest.metrics[0].labelled, latest.metrics[0].realised) == (0, None)
    low, high = latest.metrics[0].interval or (1.0, 0.0)
    assert low < 0.29 < high


def test_a_chunk_with_harder_rows_is_estimated_to_be_worse(
    settings: Settings, random: np.random.Generator
) -> None:
    """Rows near the decision are harder: the estimate follows the inputs, without labels."""
    days = {
        3.0: classified(2_000, random),
        1.0: classified(1_200, random),
        1.5: classified(800, random, low=-1.0, high=1.0),
    }
    labels = log_served(settings, CLASSIFIER, days, labelled=3.0)
    found = estimated(settings, CLASSIFIER, labels, start=NOW - 2 * DAY, chunk=7 * DAY)
    [chunk] = found.chunks
    assert (chunk.state, chunk.rows) == ("estimated", 2_000)
    assert found.reference is not None
    assert (found.reference.rows, found.reference.until) == (2_000, NOW - 2 * DAY)
    estimate = chunk.metrics[0].estimate
    assert estimate == pytest.approx(0.321, abs=0.025)
    assert estimate > found.reference.losses["error"] + 0.02


def test_inputs_that_have_drifted_make_it_unknown(
    settings: Settings, random: np.random.Generator
) -> None:
    """What labels say is shown all the same."""
    days = {3.0: classified(1_000, random), 1.0: classified(1_000, random, low=0.0, high=2.0)}
    labels = log_served(settings, CLASSIFIER, days)
    found = estimated(settings, CLASSIFIER, labels, start=NOW - 2 * DAY)
    [chunk] = found.chunks
    assert (chunk.state, chunk.drifted) == ("unknown", ("x",))
    assert chunk.reason.startswith("inputs have drifted from the reference: x (")
    error = chunk.metrics[0]
    assert (error.estimate, error.interval, error.as_estimated) == (None, None, None)
    assert (error.labelled, error.realised) == (1_000, pytest.approx(0.28, abs=0.05))


def test_few_rows_cannot_rule_drift_out(settings: Settings, random: np.random.Generator) -> None:
    """That is unknown too, not an estimate."""
    days = {3.0: classified(1_000, random), 1.0: classified(50, random)}
    labels = log_served(settings, CLASSIFIER, days)
    [chunk] = estimated(settings, CLASSIFIER, labels, start=NOW - 2 * DAY).chunks
    assert chunk.state == "unknown"
    assert "too few rows to tell whether inputs have drifted: x" in chunk.reason


def test_few_entities_cannot_rule_drift_out(
    settings: Settings, random: np.random.Generator
) -> None:
    """Rows of 20 customers, each always at one x, are not called drifted."""
    served, x = classified(1_000, random), np.random.default_rng(3).uniform(-2, 2, 20)
    inputs = served.inputs.set_column(0, "x", [x[np.arange(1_000) % 20]])
    owners = pa.array([f"c{n % 20}" for n in range(1_000)])
    inputs = inputs.set_column(2, "customer", owners)
    days = {3.0: classified(1_000, random), 1.0: served._replace(inputs=inputs)}
    labels = log_served(settings, CLASSIFIER, days)
    [chunk] = estimated(settings, CLASSIFIER, labels, start=NOW - 2 * DAY).chunks
    assert chunk.state == "unknown"
    assert chunk.drifted == ()
    assert (
        "too few rows to tell whether inputs have drifted: x (1,000 rows count as" in chunk.reason
    )


def owned(served: Served, entities: int) -> Served:
    """The same rows, of so many customers."""
    owners = pa.array([f"c{n % entities}" for n in range(served.inputs.num_rows)])
    return served._replace(inputs=served.inputs.set_column(2, "customer", owners))


@pytest.mark.parametrize("entities", [6, 40])
def test_a_reference_of_few_entities_says_little(
    settings: Settings, random: np.random.Generator, entities: int
) -> None:
    """Of six, however many rows: their spread is not known."""
    days = {3.0: owned(classified(1_000, random), entities), 1.0: classified(1_000, random)}
    labels = log_served(settings, CLASSIFIER, days)
    found = estimated(settings, CLASSIFIER, labels, start=NOW - 2 * DAY)
    few = "the reference has labels of 6 entities; 30 are needed"
    assert found.reason == (few if entities == 6 else "")


def test_a_chunk_of_few_entities_is_unknown(
    settings: Settings, random: np.random.Generator
) -> None:
    """The reference has one row of each, so the chunk's 25 may all err alike."""
    days = {3.0: classified(1_000, random), 1.0: owned(classified(1_000, random), 25)}
    labels = log_served(settings, CLASSIFIER, days)
    [chunk] = estimated(settings, CLASSIFIER, labels, start=NOW - 2 * DAY).chunks
    assert chunk.state == "unknown"
    assert chunk.reason.startswith("few entities: 1,000 rows count as ")
    assert {metric.as_estimated for metric in chunk.metrics} == {None}


@pytest.mark.slow
def test_a_regressor_is_estimated_by_a_model_of_its_losses(
    settings: Settings, random: np.random.Generator
) -> None:
    """The deviation of the labels is the size of x, so the mean error of |x| < 2 is 0.8."""
    days = {3.0: predicted(2_000, random), 1.0: predicted(1_000, random)}
    labels = log_served(settings, REGRESSOR, days)
    found = estimated(settings, REGRESSOR, labels, start=NOW - 2 * DAY)
    assert found.method == "DLE"
    assert found.reference is not None
    assert found.reference.calibrated is None
    [chunk] = found.chunks
    absolute, squared = chunk.metrics
    assert (absolute.metric, squared.metric) == ("absolute_error", "squared_error")
    assert absolute.estimate == pytest.approx(2 / np.sqrt(2 * np.pi), abs=0.06)
    assert squared.estimate == pytest.approx(4 / 3, abs=0.2)
    assert absolute.as_estimated is True


def test_without_enough_labels_nothing_is_estimated(
    settings: Settings, random: np.random.Generator
) -> None:
    """It says how many are needed; rows that are too young do not count."""
    labels = log_served(settings, CLASSIFIER, {1.0: classified(600, random)})
    found = estimated(settings, CLASSIFIER, labels, rules=QualityRules(maturity_days=2.0))
    assert (found.method, found.chunks) == (None, ())
    assert found.reason == "the reference has 0 rows with a label; 500 are needed"


def test_labels_that_the_model_does_not_know_are_named(
    settings: Settings, random: np.random.Generator
) -> None:
    """With those that it knows, and how many rows have them."""
    labels = log_served(settings, CLASSIFIER, {1.0: classified(600, random)})
    texts = pa.array(["maybe"] * labels.num_rows)
    labels = labels.set_column(labels.schema.get_field_index("label"), "label", texts)
    found = estimated(settings, CLASSIFIER, labels)
    assert found.reason.startswith("the reference has 0 rows with a label that the model knows and")
    assert "with another: expected `no`, `yes`, got `maybe` (" in found.reason


def test_answers_that_the_reference_does_not_have_make_it_unknown(
    settings: Settings, random: np.random.Generator
) -> None:
    """Drift of x within the policy's limits, to where no curve was fitted."""
    served = classified(1_000, random)
    outputs = pa.table(
        {
            name: np.where(np.arange(1_000) < 60, value, served.outputs.column(name).to_numpy())
            for name, value in (("probability_no", 1e-6), ("probability_yes", 1 - 1e-6))
        }
    ).add_column(0, "prediction", served.outputs.column("prediction"))
    days = {3.0: classified(1_000, random), 1.0: served._replace(outputs=outputs)}
    labels = log_served(settings, CLASSIFIER, days)
    [chunk] = estimated(settings, CLASSIFIER, labels, start=NOW - 2 * DAY).chunks
    assert chunk.state == "unknown"
    assert chunk.reason.startswith("6% of the answers are outside of the range")
