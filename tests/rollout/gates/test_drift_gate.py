"""The gate of drift: served rows of a shadow against its training."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from gnomon.artifact import Artifact
from gnomon.contract import Contract
from gnomon.drift.drift_report import Effect
from gnomon.errors import UnknownArtifact
from gnomon.log import InferenceLog
from gnomon.policy import DriftLimits, GateLimits, Policy
from gnomon.rollout.evidence.outlook import Traffic
from gnomon.rollout.gate import Gate
from gnomon.rollout.gates.drift_gate import (
    DriftedColumn,
    ServedDrift,
    drift_gate,
    evaluate_drift,
    served_drift,
)
from gnomon.rollout.history import RolloutState, Shadow
from gnomon.settings import Settings
from tests.profiled import profiled
from tests.rollout.quality.rows import BY_CUSTOMER, CLASSIFIER, LIVE, NOW, SHADOW, Row, log_rows

POLICY = Policy(gates=GateLimits(max_drifted_columns=0))
START = NOW - timedelta(days=30)
RUN = Shadow(artifact=SHADOW, digest="d", fraction=1.0, since=2, at=START)
SECONDS = Traffic(seconds=100.0, answered=100, scored=100)


def trained(
    hours: tuple[float, float] = (0.0, 24.0), rows: int = 20_000, contract: Contract = CLASSIFIER
) -> Artifact:
    """A shadow that was trained on these hours."""
    random = np.random.default_rng(0)
    late = random.random(rows)
    inputs = {"hour": random.uniform(*hours, rows), "customer": pa.nulls(rows, pa.string())}
    outputs = {
        "prediction": np.where(late > 0.5, "late", "on_time"),
        "probability_late": late,
        "probability_on_time": 1 - late,
    }
    return profiled(contract, SHADOW, pa.table(inputs), pa.table(outputs))


def log_hours(settings: Settings, rows: int, low: float, high: float) -> InferenceLog:
    """Log rows that both answered, at these hours."""
    random = np.random.default_rng(1)
    hours, late = random.uniform(low, high, rows).tolist(), random.random(rows).tolist()
    log_rows(settings, [Row(p, p, hour=h) for p, h in zip(late, hours, strict=True)])
    return InferenceLog(settings, "toy")


def judged(found: ServedDrift, *, limit: int = 0, min_rows: int = 1_000) -> Gate:
    gate = drift_gate(limit, min_rows, found, SECONDS)
    assert (gate.awaits is not None) == (gate.verdict in ("unknown", "no_data"))
    return gate


def column(name: str) -> DriftedColumn:
    return DriftedColumn(name, "psi", Effect(value=1.5, limit=0.25, floor=0.01, verdict="drifted"))


def test_rows_as_in_training_pass(settings: Settings) -> None:
    """Every input and output is judged, and none has drifted."""
    found = served_drift(log_hours(settings, 2_000, 0.0, 24.0), trained(), START, POLICY)
    assert found == ServedDrift(rows=2_000, judged=5)
    gate = judged(found)
    assert (gate.verdict, gate.value, gate.limit, gate.rows) == ("pass", 0, 0, 2_000)
    assert gate.says == "0 of 5 columns drifted from training over 2,000 rows; limit 0"


def test_rows_of_another_kind_fail_and_the_column_is_named(settings: Settings) -> None:
    """With its worst metric and the limit of it; a policy may allow one, or ignore it."""
    log = log_hours(settings, 2_000, 12.0, 24.0)
    found = served_drift(log, trained(), START, POLICY)
    gate = judged(found)
    assert (gate.verdict, gate.value, gate.count) == ("fail", 1, 1)
    assert "1 of 5 columns drifted from training over 2,000 rows: hour (" in gate.says
    assert judged(found, limit=1).verdict == "pass"
    ignoring = Policy(gates=POLICY.gates, drift=DriftLimits(ignore=("hour",)))
    assert judged(served_drift(log, trained(), START, ignoring)).verdict == "pass"


def test_few_rows_decide_nothing(settings: Settings) -> None:
    """Not before the policy's least rows, although the column has drifted far."""
    found = served_drift(log_hours(settings, 200, 12.0, 24.0), trained(), START, POLICY)
    assert [drifted.name for drifted in found.drifted] == ["hour"]
    gate = judged(found)
    assert (gate.verdict, gate.value) == ("unknown", 1)
    assert gate.awaits is not None
    assert gate.awaits.says.startswith("needs 800 more rows scored, in about 13 min")
    assert judged(found, min_rows=100).verdict == "fail"


def test_columns_that_cannot_be_told_are_unknown(settings: Settings) -> None:
    """They never pass, unless the policy bears as many drifted columns; rows decide them."""
    found = served_drift(log_hours(settings, 60, 0.0, 24.0), trained(), START, POLICY)
    assert "hour" in found.undecided
    assert 60 < found.needs < 1_000
    gate = judged(found, min_rows=0)
    assert gate.verdict == "unknown"
    assert "too few rows to tell of" in gate.says
    assert gate.awaits is not None
    assert gate.awaits.says.startswith("needs about ")
    assert judged(found, limit=5, min_rows=0).verdict == "pass"


def test_few_entities_are_unknown_and_other_entities_are_awaited(settings: Settings) -> None:
    """2,000 healthy rows of 50 customers, each always at one hour, are no drift."""
    random = np.random.default_rng(1)
    hours, late = random.uniform(0, 24, 50), random.random(2_000)
    rows = [Row(p, p, hour=hours[i % 50], customer=f"c{i % 50}") for i, p in enumerate(late)]
    log_rows(settings, rows)
    log = InferenceLog(settings, "toy")
    found = served_drift(log, trained(contract=BY_CUSTOMER), START, POLICY)
    assert found.drifted == ()
    gate = judged(found)
    assert gate.verdict == "unknown"
    assert "too few rows of different entities to tell of 1 other: hour (2,000 rows" in gate.says
    assert gate.awaits is not None
    assert gate.awaits.says.endswith("more rows scored, of other entities")
    assert gate.awaits.rows is not None
    assert gate.awaits.seconds is None
    assert served_drift(log, trained(), START, POLICY).drifted != ()


def test_too_few_training_rows_are_said(settings: Settings) -> None:
    """More served rows would not help."""
    log = log_hours(settings, 2_000, 0.0, 24.0)
    found = served_drift(log, trained(rows=60), START, POLICY)
    assert np.isinf(found.needs)
    gate = judged(found)
    assert gate.verdict == "unknown"
    assert "training had too few rows to tell" in gate.because


def test_without_rows_there_is_no_data(settings: Settings) -> None:
    """Neither a pass nor a fail; rows from before the run do not count."""
    log = log_hours(settings, 50, 0.0, 24.0)
    gate = judged(served_drift(log, trained(), NOW, POLICY))
    assert (gate.verdict, gate.value) == ("no_data", None)
    assert gate.says == "no row was scored; limit 0"


def test_a_policy_that_ignores_every_column_passes_nothing() -> None:
    """No measure is no proof."""
    gate = judged(ServedDrift(rows=5_000, judged=0))
    assert gate.verdict == "unknown"
    assert "[drift] ignore of the policy leaves none" in gate.because


def test_many_columns_are_counted_and_the_worst_are_named() -> None:
    """Five of seven, so that the line can be read."""
    gate = judged(ServedDrift(9_000, 9, tuple(column(f"c{n}") for n in range(7))))
    assert "c4 (psi 1.5, limit 0.25) and 2 more; limit 0" in gate.says


@pytest.mark.parametrize(
    ("digest", "says"),
    [(None, "no artifact"), ("other", "another artifact has been packed under this tag")],
)
def test_an_artifact_that_is_gone_or_another_is_no_verdict(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, digest: str | None, says: str
) -> None:
    """The gate is unknown, with the reason."""

    def inspect(tag: str) -> Artifact:
        if digest is None:
            raise UnknownArtifact(f"no artifact {tag}")
        return Packed()  # type: ignore[return-value]

    class Packed:
        def __init__(self) -> None:
            self.digest = digest

    monkeypatch.setattr("gnomon.rollout.gates.drift_gate.inspect", inspect)
    state = RolloutState(lives=(LIVE,), shadows={SHADOW: RUN})
    log = InferenceLog(settings, "toy")
    [gate] = evaluate_drift(log, state, SHADOW, POLICY)
    assert gate.verdict == "unknown"
    assert says in gate.because


def test_nothing_is_measured_unless_the_policy_asks(settings: Settings) -> None:
    """Nor of an artifact that is not a shadow."""
    state = RolloutState(lives=(LIVE,), shadows={SHADOW: RUN})
    log = InferenceLog(settings, "toy")
    assert evaluate_drift(log, state, SHADOW, Policy()) == ()
    assert evaluate_drift(log, state, "toy:third", POLICY) == ()
