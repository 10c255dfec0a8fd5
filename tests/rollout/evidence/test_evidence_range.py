"""The recorded evidence of a decision can be read again, also after more rows were logged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from gnomon.log import InferenceLog
from gnomon.log.seal import Sealer
from gnomon.policy import GateLimits, Policy
from gnomon.rollout.evidence.evidence_range import EvidenceRange
from gnomon.rollout.gates.gates import evaluate
from gnomon.rollout.history import RolloutEvent, fold
from gnomon.settings import Settings
from tests.shadow.evidence import LIVE, SHADOW, log_live, log_shadow

START = datetime.now(UTC) - timedelta(minutes=5)
STATE = fold(
    [
        RolloutEvent(kind="promote", artifact=LIVE, at=START),
        RolloutEvent(kind="shadow_start", artifact=SHADOW, at=START),
    ]
)


def rows_of(settings: Settings, read: EvidenceRange) -> int:
    """The rows of the evidence, by the addresses that all rows keep."""
    rows = InferenceLog(settings, "toy").table(role="shadow", artifact=SHADOW).to_pylist()
    return sum(
        row["epoch"] == read.since
        and row["against"] == LIVE
        and read.log.has(row["slice"], row["stream"], row["segment"], row["offset"])
        for row in rows
    )


def test_its_rows_are_found_again(settings: Settings) -> None:
    """Those sealed then and those not, without rows that were logged or sealed since."""
    log_live(settings, 10)
    log_shadow(settings, agreed=70)
    Sealer(settings, "toy").seal()
    log_shadow(settings, agreed=20, disagreed=10)
    policy = Policy(gates=GateLimits(longest_burst=3))
    gates = evaluate(InferenceLog(settings, "toy"), STATE, policy, SHADOW)
    read = gates.read
    assert read is not None
    assert rows_of(settings, read) == gates.gates[0].rows == 100
    log_shadow(settings, agreed=500)
    Sealer(settings, "toy").seal()
    assert rows_of(settings, read) == 100
    assert msgspec.convert(msgspec.to_builtins(read), EvidenceRange) == read
    assert (read.since, read.start, read.candidates, read.longest_burst) == (2, START, 1, 3)
    assert read.confidence == 0.95
    assert read.confidence_of_each == policy.gates.confidence_of_each(1)
    assert gates.policy == policy
