"""The row that kills a worker is found by bisection."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.worker.bisection import bisect_batch
from gnomon.worker.messages import ERROR, scored_schema

SCHEMA = scored_schema(pa.schema([pa.field("prediction", pa.float64())]))


def drive(
    rows: list[float], poison: set[float], killed_at: int | None = None
) -> tuple[pa.RecordBatch, int]:
    """Bisect with a worker that dies on ``poison``, and at one attempt anyway."""
    batch = pa.record_batch({"x": rows})
    rescue = bisect_batch(batch, SCHEMA)
    attempt, attempts, deaths = next(rescue), 0, 0
    while True:
        values = attempt.column("x").to_pylist()
        attempts += 1
        if poison & set(values) or attempts - 1 == killed_at:
            deaths += 1
            result: pa.RecordBatch | str = "signal 11, SIGSEGV"
        else:
            columns = [pa.array(values), pa.nulls(len(values), pa.string())]
            result = pa.RecordBatch.from_arrays(columns, schema=SCHEMA)
        try:
            attempt = rescue.send(result)
        except StopIteration as done:
            return done.value, deaths


@given(st.integers(1, 300), st.data())
def test_only_poison_rows_fail_and_order_is_kept(count: int, data: st.DataObject) -> None:
    """Exactly the rows that kill the worker fail, each in its place, whatever the batch."""
    rows = [float(n) for n in range(count)]
    poison = data.draw(st.sets(st.sampled_from(rows), max_size=3))
    scored, _ = drive(rows, poison)
    expected = [None if row in poison else row for row in rows]
    assert scored.column("prediction").to_pylist() == expected
    errors = scored.column(ERROR).to_pylist()
    assert [error is not None for error in errors] == [row in poison for row in rows]
    assert all(error.startswith("crashed:") for error in errors if error)


@pytest.mark.parametrize("killed_at", range(9))
@pytest.mark.parametrize("poison", [set(), {3.0}])
def test_a_worker_killed_once_from_outside_costs_no_row(poison: set[float], killed_at: int) -> None:
    """A death from outside fails no row, whichever attempt it hits: the whole batch, a half, or
    a healthy row alone.
    """
    rows = [float(n) for n in range(8)]
    scored, _ = drive(rows, poison, killed_at)
    errors = scored.column(ERROR).to_pylist()
    assert {row for row, error in zip(rows, errors, strict=True) if error} == poison


def test_one_poison_row_costs_few_deaths() -> None:
    """Bisecting 512 rows takes about log2 of them deaths, not one a row."""
    _, deaths = drive([float(n) for n in range(512)], {300.0})
    assert deaths <= 12
