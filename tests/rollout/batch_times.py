"""Times of batches to judge by."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gnomon.rollout.evidence.batch_times import BatchTimes


def times(micros: Mapping[int, int], rows: int = 128) -> BatchTimes:
    """As many rows of each size, given as its logarithm to base two, that all took so long."""
    found = BatchTimes()
    for size, took in micros.items():
        add(found, np.full(rows >> size, took), 1 << size)
    return found


def add(found: BatchTimes, micros: npt.NDArray[np.int64], batch_rows: int = 1) -> None:
    """Add batches of a size; each row has the time of its batch."""
    scored = np.repeat(micros, batch_rows).astype(np.int64)
    sizes = np.full(len(scored), batch_rows)
    found.add(pa.RecordBatch.from_pydict({"batch_rows": sizes, "scored_us": scored}))
