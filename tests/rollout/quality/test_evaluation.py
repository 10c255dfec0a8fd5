"""Gates of quality on two real artifacts: live answers x, the shadow half as much again above 5."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from gnomon import rollout
from gnomon.artifact import inspect
from gnomon.contract import Contract
from gnomon.errors import PolicyError
from gnomon.labels.label import Label
from gnomon.labels.label_reader import LabelReader
from gnomon.labels.label_store import LabelStore
from gnomon.log import (
    REQUESTS,
    SegmentWriter,
    request_schema,
    shadow_schema,
    shadow_stream,
    stream_folder,
)
from gnomon.policy import GateLimits, Metric, Policy, QualityRules
from gnomon.rollout.gate import Gate
from gnomon.rollout.history import open_history
from gnomon.rollout.quality.evaluation import quality_of
from gnomon.settings import Settings
from tests.packing import HALF_MORE, Pack, times

pytestmark = pytest.mark.slow  # Packing two artifacts takes seconds.

LIMITS = GateLimits(max_disagreement=None, min_rows=1, min_coverage=None, max_lag_rows=None)


class Rollout:
    """A live artifact and a running shadow, with rows that both answered."""

    def __init__(self, settings: Settings, live: str, shadow: str) -> None:
        self.settings, self.live, self.shadow = settings, live, shadow
        rollout.promote(settings, "toy", live)
        rollout.start_shadow(settings, "toy", shadow)
        self.contract: Contract = inspect(live).contract

    def log(self, rows: int, *, x: float = 10.0, days_old: float = 0.0) -> None:
        """Log rows of as many entities."""
        arrived = datetime.now(UTC) - timedelta(days=days_old)
        common = {"row": 0, "arrived": arrived, "input_x": x}
        live = {"role": "live", "outcome": "answered", "artifact": self.live}
        shadow = {
            "role": "shadow", "outcome": "scored", "artifact": self.shadow, "against": self.live,
            "epoch": 2, "agreed": False, "flipped": False, "difference": x / 2,
        }  # fmt: skip
        for stream, schema, side, answer in (
            (REQUESTS, request_schema(self.contract), live, x),
            (shadow_stream(self.shadow[4:]), shadow_schema(self.contract), shadow, 1.5 * x),
        ):
            records: list[dict[str, Any]] = [
                {**common, **side, "request_id": f"r{i}", "input_id": f"e{i}",
                 "output_prediction": answer}
                for i in range(rows)
            ]  # fmt: skip
            folder = stream_folder(self.settings, "toy", "here", stream)
            writer = SegmentWriter(folder, schema, settings=self.settings)
            writer.append(pa.RecordBatch.from_pylist(records, schema=schema))
            writer.close()

    def label(self, rows: int, value: float) -> None:
        """Label the first rows."""
        given = [("", Label(request_id=f"r{i}", value=value)) for i in range(rows)]
        records = LabelReader(self.contract).records(given, datetime.now(UTC))
        LabelStore(self.settings, "toy").add(records)

    def gate(self, limit: float, metric: Metric = "absolute_error", **rules: Any) -> Gate:
        """The gate of a metric, from the evaluation of all."""
        quality = QualityRules(max_increase={metric: limit}, **rules)
        gates = rollout.check(
            self.settings, "toy", self.shadow, Policy(gates=LIMITS, quality=quality)
        )
        assert gates.gates[-1].name == f"quality_{metric}"
        return gates.gates[-1]


@pytest.fixture
def running(settings: Settings, pack: Pack) -> Rollout:
    return Rollout(settings, pack(times(1.0)), pack(HALF_MORE))


def test_labels_decide_whether_a_shadow_is_better(running: Rollout) -> None:
    """Without them it is not known; with them the nearer answer passes, and the farther fails."""
    running.log(400)
    assert running.gate(0.0).verdict == "no_data"
    running.label(400, 15.0)
    better = running.gate(0.0)
    assert (better.verdict, better.value, better.rows, better.units) == ("pass", -5.0, 400, 400)
    assert "absolute_error 0, live 5, on 400 labelled rows (400 entities)" in better.says


def test_a_worse_shadow_fails_and_few_labels_leave_it_open(running: Rollout) -> None:
    """The bound of an error is the range of live's predictions in training: 63."""
    running.log(400)
    running.label(3, 10.0)
    assert running.gate(0.5).verdict == "unknown"
    running.label(400, 10.0)
    assert running.gate(0.5).verdict == "fail"
    quality = quality_of(
        running.settings, "toy", open_state(running), running.shadow, Policy(gates=LIMITS)
    )
    assert [metric.bound for metric in quality.metrics] == [63.0, 63.0**2]


def test_labels_that_come_early_wait_for_the_others(running: Rollout) -> None:
    """Rows younger than the policy's age do not count, labelled or not."""
    running.log(400)
    running.label(400, 10.0)
    young = running.gate(0.5, maturity_days=3)
    assert young.verdict == "no_data"
    assert young.awaits is not None
    assert young.awaits.says.startswith("needs 400 rows to become 3 days old")


def test_an_artifact_that_is_gone_is_no_verdict(
    running: Rollout, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """The gate is unknown, with the reason."""
    running.log(1)
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    gate = running.gate(0.5)
    assert gate.verdict == "unknown"
    assert running.shadow in gate.says


def test_a_metric_of_other_models_is_refused(running: Rollout) -> None:
    """A misspelt policy is a mistake, and no evidence."""
    running.log(1)
    with pytest.raises(PolicyError, match="expected a metric of these models, got `brier`"):
        running.gate(0.5, "brier")
    with pytest.raises(PolicyError, match="there is no feature `town`"):
        running.gate(0.5, segments=("town",))


def test_segments_are_those_of_lives_training(running: Rollout) -> None:
    """Ranges of a number, from its profile."""
    running.log(10)
    running.label(10, 10.0)
    policy = Policy(quality=QualityRules(segments=("x",)))
    found = quality_of(running.settings, "toy", open_state(running), running.shadow, policy)
    assert [(s.feature, s.metrics[0].rows) for s in found.segments] == [("x", 10)]


def test_the_allowed_error_is_split_over_the_gates_of_labels_too(running: Rollout) -> None:
    """Two metrics beside one share and the latency: each interval has a quarter of it; half of that
    for the first day of a run whose entities may come back.
    """
    rules = QualityRules(max_increase={"absolute_error": 1.0, "squared_error": 1.0})
    policy = Policy(gates=LIMITS, quality=rules)
    running.log(1)
    quality = quality_of(running.settings, "toy", open_state(running), running.shadow, policy)
    assert quality.confidence == pytest.approx(1 - 0.05 / 4 / 2)


def open_state(running: Rollout) -> Any:
    history = open_history(running.settings, "toy")
    history.refresh()
    return history.state


def test_the_report_is_read_back_from_its_json(running: Rollout) -> None:
    """Every value of it."""
    running.log(2)
    quality = quality_of(running.settings, "toy", open_state(running), running.shadow, Policy())
    read = msgspec.json.decode(msgspec.json.encode(quality), type=type(quality))
    assert read == quality
