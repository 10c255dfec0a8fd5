"""How many bytes of long request bodies a gateway holds at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gnomon.contract.body_size import SOON_BYTES
from gnomon.errors import Overloaded

__all__ = ["MOST_BODIES", "BodyBudget"]

MOST_BODIES = 8
"""How many bodies of the largest size are held; the process that decodes them takes seconds over as
many."""


class BodyBudget:
    """The bodies that are being received, or wait for their answer.

    Only what a body has beyond 64 KiB is counted: short ones are never refused for long ones.

    Args:
        most: bytes of all of them.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = 0
        """Bytes that are held and counted."""

    @contextmanager
    def body(self) -> Iterator[Callable[[int], None]]:
        """Hold one body until the block ends; call what it yields with the bytes that there are.

        That raises :class:`~gnomon.errors.Overloaded` when too many are held.
        """
        mine = 0

        def grow(size: int) -> None:
            nonlocal mine
            more = max(size - SOON_BYTES, 0) - mine
            if self.bytes + more > self._most:
                raise Overloaded(
                    f"{self.bytes:,} bytes of large requests are already held; "
                    f"the limit is {self._most:,}",
                    hint="retry after the time given in Retry-After",
                )
            mine += more
            self.bytes += more

        try:
            yield grow
        finally:
            self.bytes -= mine
