"""After a worker died on a batch: find the row that ends it, and score every other row."""

from __future__ import annotations

from collections.abc import Generator

import pyarrow as pa

from gnomon.worker.messages import failed

__all__ = ["Bisection", "bisect_batch"]

Bisection = Generator[pa.RecordBatch, pa.RecordBatch | str, pa.RecordBatch]


def bisect_batch(batch: pa.RecordBatch, schema: pa.Schema) -> Bisection:
    """Retry a batch that died with its worker, then bisect it.

    A row is blamed only after two deaths of a worker that held it alone (or, if it came alone,
    the first and one more), so that a worker killed from outside costs no row its answer.

    A generator, so that clients that block and clients that await drive the same logic: it yields
    batches to try one at a time; send it what was scored, or the reason the worker died.

    Args:
        batch: the rows that were in flight, oldest first, when the worker died.
        schema: the scored schema.

    Returns:
        The whole batch scored; a row that kills its worker even alone carries the reason in
        ``error``.
    """
    done: list[pa.RecordBatch] = []
    pending = [(batch, 1 if batch.num_rows == 1 else 0)]
    while pending:
        rows, deaths = pending.pop()
        result = yield rows
        if not isinstance(result, str):
            done.append(result)
        elif rows.num_rows > 1:
            half = rows.num_rows // 2
            pending += [(rows.slice(half), 0), (rows.slice(0, half), 0)]
        elif deaths == 0:
            pending.append((rows, 1))
        else:
            done.append(failed(schema, 1, f"crashed: the row ended its worker ({result})"))
    return pa.concat_batches(done)
