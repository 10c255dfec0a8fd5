from __future__ import annotations

import numpy as np
import pyarrow as pa

from gnomon.rollout.evidence.row_blocks import RowOrder, marks_of


def records(agreed: list[bool | None]) -> pa.RecordBatch:
    """A shadow's records; None failed."""
    return pa.RecordBatch.from_pydict(
        {
            "outcome": ["failed" if one is None else "scored" for one in agreed],
            "agreed": pa.array(agreed, pa.bool_()),
            "flipped": pa.array([None if one is None else not one for one in agreed], pa.bool_()),
        }
    )


def test_each_record_has_its_marks() -> None:
    """A failed row is done but not compared; one that disagrees is compared."""
    marks = {
        name: mask.to_pylist() for name, mask in marks_of(records([True, False, None])).items()
    }
    assert marks == {
        "failed": [False, False, True],
        "done": [True, True, True],
        "disagreed": [False, True, False],
        "compared": [True, True, False],
        "flipped": [False, True, False],
        "decided": [True, True, False],
    }


def test_rows_are_put_in_the_order_of_arrival() -> None:
    """Whatever the order of the batches; rows of another kind are left out of the blocks."""
    order = RowOrder(2)
    late = records([True] * 8)
    early = records([False, False, None, *[True] * 7])
    order.add(pa.array(np.arange(100, 108)), marks_of(late))
    order.add(pa.array(np.arange(10)), marks_of(early))
    rows = order.ordered()
    values, length = rows.blocks("disagreed", "compared")
    assert (values.tolist(), length) == ([1, *[0] * 7], 2)
    assert rows.blocks("failed", "done")[0].tolist() == [0, 0.5, *[0] * 7]


def test_without_rows_there_are_no_blocks() -> None:
    """Nor with fewer than eight blocks."""
    assert RowOrder(2).ordered().blocks("failed", "done")[0].tolist() == []
