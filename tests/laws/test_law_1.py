"""Law 1: live never waits for shadow. Beside a broken shadow no answer fails, and the median answer
to a row that the shadow scores takes at most 1.25 times that to one that it does not.
"""

from __future__ import annotations

import math
import statistics

import pytest

from gnomon.log.sampling import keep
from tests.laws.conftest import Deployment
from tests.load import Load, feeds, load, until
from tests.packing import times

FAULT = {
    "hung": "time.sleep(3600)",
    "crashing": "os.kill(os.getpid(), signal.SIGKILL)",
    "slow": "time.sleep(0.5)",
    "leaking": "self.leak_ = getattr(self, 'leak_', []) + [bytearray(1 << 20)]",
}

SAMPLED = 0.5
"""The share of entities that the shadow scores. The rest are asked in between, by the same clients
of the same server: what delays both alike, such as a busy machine, cancels out."""

MOST = 1.25
"""How many times as long the median answer to a sampled row may take. The medians of 250 answers
of a few milliseconds each differ by chance by some percent; one that waited for the shadow, even
for one call of a healthy one, would take a multiple, and for these shadows seconds."""


SETTINGS: dict[str, str] = {}


def medians(seen: Load) -> tuple[float, float]:
    """Return the median seconds of answers to rows that the shadow samples, and to the other
    rows.
    """
    sampled = keep([f"online{number}" for number in seen.numbers], SAMPLED)
    parts = ([], [])  # type: tuple[list[float], list[float]]
    for seconds, is_sampled in zip(seen.seconds, sampled.tolist(), strict=True):
        parts[not is_sampled].append(seconds)
    return statistics.median(parts[0]), statistics.median(parts[1])


@pytest.mark.parametrize("fault", FAULT.values(), ids=FAULT)
def test_a_broken_shadow_changes_no_live_answer(fault: str, deployed: Deployment) -> None:
    """While a shadow hangs, crashes, is slow or leaks on every row that it scores, live answers
    every row, and as fast as the rows that the shadow leaves out.
    """
    shadow = deployed.install(times(3, fault))
    with deployed.server.client() as control:
        with load(deployed.server, rate=math.inf) as alone:
            until(lambda: len(alone.acknowledged) > 100, "rows without a shadow", 90)
        before = control.status().accounts
        control.start_shadow(shadow, fraction=SAMPLED)
        until(lambda: bool(feeds(deployed.server)), "the feed starts")
        until(lambda: control.status().shadows[0].state == "running", "the shadow runs", 60)
        with load(deployed.server, rate=math.inf) as seen:
            until(lambda: len(seen.acknowledged) > 500, "rows beside a broken shadow", 90)
            until(lambda: control.status().shadows[0].eligible > 150, "the shadow has had its half")
        after = control.status().accounts
        control.stop_shadow(shadow)
    assert seen.lost == 0
    assert seen.refused == []
    assert after.answered - before.answered == after.received - before.received
    assert all(answer["artifact"] == deployed.live for answer in seen.acknowledged.values())
    sampled, left_out = medians(seen)
    assert sampled <= MOST * left_out
    # What delays both alike is not a busy machine alone: it would be seconds here.
    assert sampled <= max(10 * statistics.median(alone.seconds), 0.1)


def test_an_absent_shadow_changes_no_live_answer(deployed: Deployment) -> None:
    """A shadow whose artifact is damaged is reported as failing; live continues."""
    shadow = deployed.install(times(5))
    with deployed.server.client() as control:
        control.start_shadow(shadow)
        until(lambda: bool(feeds(deployed.server)), "the feed starts")
        damaged = deployed.home / "models" / shadow.replace(":", "/") / "pipeline.skops"
        damaged.write_bytes(b"gone")
        for feed in feeds(deployed.server):
            feed.kill()
        until(lambda: control.status().shadows[0].state == "failing", "the failure is reported")
        assert control.predict({"x": 4.0, "id": "a"}).prediction == 8.0
        control.stop_shadow(shadow)
