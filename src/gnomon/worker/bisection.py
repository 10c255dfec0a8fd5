"""Bisection of a batch on which a worker died: it finds the row at fault and scores the others."""

from __future__ import annotations

from collections.abc import Generator

import pyarrow as pa

from gnomon.worker.messages import failed

__all__ = ["Bisection", "bisect_batch"]

Bisection = Generator[pa.RecordBatch, pa.RecordBatch | str, pa.RecordBatch]


def bisect_batch(batch: pa.RecordBatch, schema: pa.Schema) -> Bisection:
    """Retry a batch on which the worker died, then bisect it.

    A row is blamed only after a worker died twice on a batch of that row alone. If the batch
    has one row, its first death counts as one of the two. So no row loses its answer when a
    worker is killed from outside.

    This is a generator, so that blocking and asynchronous clients share the logic: it yields
    the batches to try, one at a time; send it the scored batch, or the reason the worker died.

    Args:
        batch: the rows that were in flight, oldest first, when the worker died.
        schema: the scored schema.

    Returns:
        The complete batch, scored; a row that ends its worker even alone has the reason in
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
