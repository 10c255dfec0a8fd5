"""The limit on the bytes of long request bodies that a gateway holds at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gnomon.contract.body_size import SOON_BYTES
from gnomon.errors import Overloaded

__all__ = ["MOST_BODIES", "WINDOWS_BYTES", "BodyBudget"]

MOST_BODIES = 8
"""How many bodies of the largest size are held; decoding this many takes seconds."""

WINDOWS_BYTES = 268_435_456
"""The most bytes that the decompressors of streams keep: 32 with the largest window of zstd, 128
with that of its usual level. A few hundred bytes can fill a window, and a stream may last long."""


class BodyBudget:
    """The bytes of bodies that are being received, or wait for their answer.

    Args:
        most: the most bytes of all bodies together.
        free: so many bytes of each body do not count. By default long bodies never cause those of
            up to 64 KiB to be refused.
        what: what the bodies are, for the error.
    """

    def __init__(self, most: int, *, free: int = SOON_BYTES, what: str = "large requests") -> None:
        self._most = most
        self._free = free
        self._what = what
        self.bytes = 0
        """The bytes that are held and count."""

    @contextmanager
    def body(self) -> Iterator[Callable[[int], None]]:
        """Count one body until the block ends.

        Yields:
            A function to call with the body's present size, as it grows. It raises
            :class:`~gnomon.errors.Overloaded` when too many bytes are held.
        """
        counted = 0

        def grow(size: int) -> None:
            nonlocal counted
            increase = max(size - self._free, 0) - counted
            if self.bytes + increase > self._most:
                raise Overloaded(
                    f"{self.bytes:,} bytes of {self._what} are already held; "
                    f"the limit is {self._most:,}",
                    hint="retry after the time given in Retry-After",
                )
            counted += increase
            self.bytes += increase

        try:
            yield grow
        finally:
            self.bytes -= counted
