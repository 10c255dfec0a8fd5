from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.compare.units import UnitGroups
from gnomon.errors import PolicyError
from gnomon.offline.paired_rows import Pairs, RowSample
from gnomon.policy import Policy, Rules
from gnomon.skew.consistency.divergence import DivergenceOverTime
from gnomon.skew.consistency.tally import Tally

SCHEMA = pa.schema([pa.field("prediction", pa.float64())])


def pairs(count: int, *, start: int = 0, wrong: int = 10, entities: bool = False) -> Pairs:
    """Rows one second apart, ten of an entity; every ``wrong``-th diverges by its number."""
    numbers = np.arange(start, start + count)
    about = pa.table(
        {
            "request_id": [f"r{i:06d}" for i in numbers],
            "row": pa.array(numbers * 0, pa.int32()),
            "arrived": pa.array(numbers * 1_000_000, pa.timestamp("us", tz="UTC")),
            "time": pa.array(numbers * 1_000_000, pa.timestamp("us", tz="UTC")),
            "unit": [f"{i // (10 if entities else 1):06d}" for i in numbers],
        }
    )
    left = np.ones(count)
    right = left + np.where(numbers % wrong == 0, numbers + 1, 0)
    return Pairs(about, pa.table({"prediction": left}), pa.table({"prediction": right}))


def tally(size: int = 20, *, has_entities: bool = False) -> Tally:
    rules = Policy().rules(SCHEMA, same=True)
    return Tally(rules, Rules(comparators={}), size, has_entities)


def parts(whole: Pairs, cuts: list[int]) -> list[Pairs]:
    edges = [0, *sorted(cuts), whole.num_rows]
    return [whole.take(np.arange(a, b)) for a, b in pairwise(edges)]


@pytest.mark.slow
@given(st.lists(st.integers(0, 500), max_size=6), st.randoms())
def test_batches_and_their_order_change_nothing(cuts: list[int], random: object) -> None:
    """Sums, time buckets and samples are those of one batch, however the rows come."""
    whole = pairs(500)
    one, many = tally(), tally()
    one.add(whole)
    cut = parts(whole, cuts)
    random.shuffle(cut)  # type: ignore[attr-defined]
    for part in cut:
        many.add(part)
    assert (many.main.rows, many.main.disagreed, many.exact) == (500, 50, 450)
    assert many.time.counts == one.time.counts
    assert (many.time.first, many.time.last) == (one.time.first, one.time.last)
    for mine, theirs in ((many.diverging, one.diverging), (many.agreeing, one.agreeing)):
        kept, expected = mine.pairs(), theirs.pairs()
        assert kept is not None
        assert expected is not None
        assert kept.about.equals(expected.about)
        assert kept.right.equals(expected.right)


def test_a_sample_is_bounded_and_knows_what_it_saw() -> None:
    """Of many rows it holds at most its size, spread over all of them."""
    total = tally(size=20)
    for start in range(0, 5_000, 500):
        total.add(pairs(500, start=start))
    kept = total.diverging.pairs()
    assert kept is not None
    assert (kept.num_rows, total.diverging.seen) == (20, 500)
    numbers = [int(name[1:]) for name in kept.about.column("request_id").to_pylist()]
    assert all(n % 10 == 0 for n in numbers)
    assert min(numbers) < 1_500
    assert max(numbers) > 3_500


def test_a_sample_of_nothing_is_nothing() -> None:
    """No rows were offered."""
    assert RowSample(5).pairs() is None


def test_the_first_diverging_row_is_named() -> None:
    """Its time and request, even when it comes late."""
    total = tally()
    total.add(pairs(100, start=105))
    total.add(pairs(100, start=5))
    assert total.time.first == (10.0, "r000010")
    assert total.time.last == 200.0


def test_buckets_widen_with_the_range_and_lose_no_row() -> None:
    """A year of rows is a few dozen buckets that add up to the rows."""
    time = DivergenceOverTime()
    row_times = np.arange(0.0, 365 * 86_400, 600)
    diverged = row_times > 100 * 86_400
    requests = pa.chunked_array([[f"r{i}" for i in range(len(row_times))]])
    time.add(row_times, diverged, requests)
    time.settle()
    assert len(time.counts) <= 60
    assert time.seconds == 7 * 86_400
    assert sum(rows for rows, _ in time.counts.values()) == len(row_times)
    assert sum(bad for _, bad in time.counts.values()) == diverged.sum()


def test_rows_without_a_time_are_left_out_of_time_only() -> None:
    """A null event time is in no bucket, but the row counts."""
    total = tally()
    rows = pairs(10)
    blank = pa.nulls(10, pa.timestamp("us", tz="UTC"))
    about = rows.about.set_column(3, "time", blank)
    total.add(Pairs(about, rows.left, rows.right))
    assert total.main.rows == 10
    assert total.time.counts == {}
    assert total.time.first is None


def test_nothing_to_judge_is_refused() -> None:
    """A verdict needs at least one column."""
    with pytest.raises(PolicyError, match="ignores every column"):
        Tally(Rules(comparators={}), Rules(comparators={}), 5)


def test_rows_of_an_entity_are_one_observation_in_whatever_batches() -> None:
    """Ten rows an entity, each first row wrong: the interval is of 5 units, not of 50 rows."""
    total = tally(has_entities=True)
    for part in parts(pairs(50, entities=True), [3, 25, 31]):
        total.add(part)
    assert total.groups() == UnitGroups("entity", [(1, 10, 5)])
    shares = total.shares("diverged")
    assert shares is not None
    assert (shares.values.tolist(), shares.says) == ([0.1] * 5, "5 entities")


def test_requests_of_one_row_are_rows() -> None:
    """So there is nothing to say of units."""
    total = tally()
    total.add(pairs(50))
    assert total.shares("diverged") is None
