"""What a test may open, and what it has open."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
from collections.abc import Iterator
from pathlib import Path

__all__ = ["descriptors", "spare_descriptors"]


def descriptors() -> dict[int, str]:
    """What this process has open, by number."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # That of the listing.
            found[int(name)] = os.readlink(Path("/proc/self/fd", name))
    return found


@contextlib.contextmanager
def spare_descriptors(count: int) -> Iterator[None]:
    """Let this process open so many descriptors more, and no others, until the block ends."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = descriptors()
    free = (number for number in itertools.count() if number not in taken)
    limit = next(itertools.islice(free, count, None))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)
