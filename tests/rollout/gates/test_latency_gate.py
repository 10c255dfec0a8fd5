from dataclasses import replace

import numpy as np
import pytest

from gnomon.rollout.evidence.batch_times import BatchTimes
from gnomon.rollout.evidence.evidence import Evidence, ShadowRows
from gnomon.rollout.evidence.outlook import Traffic
from gnomon.rollout.gate import Gate
from gnomon.rollout.gates.latency_gate import latency_gate
from tests.rollout.batch_times import add, times

ROWS = ShadowRows(scored=10_000, compared=10_000)
TRAFFIC = Traffic(seconds=600.0, answered=6_000, scored=6_000)


def judged(shadow: BatchTimes, live: BatchTimes, limit: float = 2.0) -> Gate:
    evidence = Evidence(ROWS, ShadowRows(), times=shadow, live_times=live, traffic=TRAFFIC)
    return latency_gate(limit, 0.95, evidence)


def varying(median: float, batches: int, spread: float = 1.5, seed: int = 1) -> BatchTimes:
    found = BatchTimes()
    random = np.random.default_rng(seed)
    add(found, np.exp(random.normal(np.log(median), spread, batches)).astype(np.int64))
    return found


def test_it_is_decided_where_the_interval_is_on_one_side() -> None:
    """Times that hardly vary decide with few batches."""
    assert judged(times({0: 1_500}), times({0: 1_000})).verdict == "pass"
    assert judged(times({0: 2_500}), times({0: 1_000})).verdict == "fail"


def test_few_batches_that_vary_do_not_decide() -> None:
    """A ratio of twenty batches that vary tenfold may be anything; it says how many decide it."""
    gate = judged(varying(40_000, 20), varying(10_000, 20, seed=2), limit=3.0)
    assert gate.verdict == "unknown"
    assert gate.interval is not None
    assert gate.interval.low < 3 < gate.interval.high
    assert gate.awaits is not None
    assert "more such rows if the times stay as they are, in about" in gate.because
    assert gate.awaits.rows is not None
    many = judged(varying(40_000, 5_000), varying(10_000, 5_000, seed=2), limit=3.0)
    assert many.verdict == "fail"


def test_a_ratio_at_the_limit_is_never_decided() -> None:
    """No number of rows is promised then."""
    alike = varying(10_000, 200)
    gate = judged(alike, alike, limit=1.01)
    assert gate.verdict == "unknown"
    assert "no number of rows may decide it" in gate.because
    assert gate.awaits is not None
    assert gate.awaits.rows is None


@pytest.mark.parametrize(("ours", "theirs"), [(3, 100), (100, 3)])
def test_it_needs_batches_of_both_sides(ours: int, theirs: int) -> None:
    """Three of one side are too few, however many the other side has."""
    gate = judged(times({0: 9_000}, rows=theirs), times({0: 1_000}, rows=ours))
    assert gate.verdict == "unknown"
    assert "3 batches each of live and the shadow of similar size; 9 are needed" in gate.says
    assert "needs about 6 more such rows" in gate.because


def test_sizes_of_one_side_alone_do_not_count() -> None:
    """Large batches of a shadow that was behind are not compared with single rows of live."""
    gate = judged(times({3: 500}), times({0: 1_000}))
    assert gate.verdict == "unknown"
    assert gate.rows == 128


def test_without_times_there_is_no_data() -> None:
    """Nothing was scored."""
    gate = judged(BatchTimes(), BatchTimes())
    assert gate.verdict == "no_data"
    assert "0 batches each" in gate.says


def test_both_sides_are_named() -> None:
    """The watch of a new live artifact names it and the one before."""
    evidence = replace(
        Evidence(ROWS, ShadowRows(), traffic=TRAFFIC),
        times=times({0: 9_000}), live_times=times({0: 1_000}),
    )  # fmt: skip
    says = latency_gate(2.0, 0.95, evidence, who="new:1", than="old:1").says
    assert says.startswith("new:1 takes 9.0")
    assert "times old:1's time for batches of similar size (128 rows)" in says
