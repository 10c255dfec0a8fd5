"""The memory limit of a worker."""

from __future__ import annotations

import pyarrow as pa

from gnomon.compat import platform
from gnomon.errors import WorkerError

__all__ = ["OUT_OF_MEMORY", "limit_memory", "ran_out"]

OUT_OF_MEMORY = 71
"""The exit code of a scorer that ran out of memory."""


def limit_memory(most: int) -> None:
    """Let this process use ``most`` bytes of memory of its own, 0 for any number.

    Over it an allocation fails: ``MemoryError`` in Python; where the system has no such limit, the
    process ends with :data:`OUT_OF_MEMORY`. Arrow, whose own allocator reserves a gigabyte, has to
    use the system's.

    Raises:
        WorkerError: the process uses as much already.
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
    """Whether an error is, or came of, there being no memory left."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__ or error.__context__
    return error is not None
