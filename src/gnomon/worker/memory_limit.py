"""The memory limit of a worker."""

from __future__ import annotations

import pyarrow as pa

from gnomon.compat import platform
from gnomon.errors import WorkerError

__all__ = ["OUT_OF_MEMORY", "limit_memory", "ran_out"]

OUT_OF_MEMORY = 71
"""The exit code of a scorer that ran out of memory."""


def limit_memory(most: int) -> None:
    """Limit the private memory of this process to ``most`` bytes; 0 sets no limit.

    An allocation beyond the limit fails: ``MemoryError`` in Python. On a system without such a
    limit the process ends with :data:`OUT_OF_MEMORY`. Arrow's default allocator reserves a
    gigabyte, so Arrow is switched to the system's allocator.

    Raises:
        WorkerError: the process already uses more.
    """
    if not most:
        return
    pa.set_memory_pool(pa.system_memory_pool())
    used = platform.limit_memory(most, OUT_OF_MEMORY)
    if used is not None:
        raise WorkerError(
            f"the artifact takes {used:,} bytes of memory when it is loaded; a worker may use "
            f"{most:,}",
            hint="raise GNOMON_WORKER_BYTES",
        )


def ran_out(error: BaseException | None) -> bool:
    """Return whether an error is a ``MemoryError``, or was caused by one."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__ or error.__context__
    return error is not None
