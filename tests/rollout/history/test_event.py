"""What an event says of itself."""

from __future__ import annotations

import pytest

from gnomon.rollout.history import Kind, RolloutEvent, forced_reason

PASS, FAIL = {"name": "rows", "verdict": "pass"}, {"name": "flips", "verdict": "fail"}


@pytest.mark.parametrize(
    ("kind", "gates", "reason"),
    [
        ("promote", (), "its gates were not evaluated"),
        ("propose", (), "its gates were not evaluated"),
        ("promote", (PASS, FAIL), "its gates did not pass"),
        ("promote", (PASS,), "its gates judge other content, which is in shadow under this tag"),
        ("shadow_start", (), "its contract is incompatible"),
    ],
)
def test_what_a_forced_decision_was_taken_in_spite_of(
    kind: Kind, gates: tuple[dict[str, object], ...], reason: str
) -> None:
    """Gates that nobody evaluated are not said to have failed."""
    event = RolloutEvent(kind=kind, artifact="toy:two", gates=gates, forced=True)
    assert forced_reason(event) == reason
    assert forced_reason(RolloutEvent(kind=kind, artifact="toy:two", gates=gates)) is None
