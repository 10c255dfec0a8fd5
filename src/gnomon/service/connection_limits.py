"""How many descriptors clients may use, and how much time after their answer.

A gateway needs descriptors of its own: log segments, workers, shadows and the storage root. Where
connections took all of them, it could neither log nor replace a worker.
"""

from __future__ import annotations

import resource

from gnomon.compat.platform import raise_descriptors
from gnomon.errors import Overloaded, SettingsError

__all__ = [
    "LINGER_SECONDS",
    "STOP_SECONDS",
    "connection_limit",
    "kept_descriptors",
    "raise_descriptor_limit",
    "too_many",
]

KEPT_DESCRIPTORS = 256
"""The most descriptors that are kept from connections."""
NEEDED_DESCRIPTORS = 96
"""Room for what a gateway opens with nobody connected, for shadows, and for replacing a worker;
``tests/faults/test_clients.py`` has one do that with no more."""
FEWEST_CONNECTIONS = 32
"""Fewer are not enough to serve: probes and a handful of clients take as many."""

STOP_SECONDS = 2.0
"""What a client gets to finish its request, or to take its answer, when the server stops."""
LINGER_SECONDS = 5.0
"""What a client gets to read the answer to a request it has not sent to its end, as in nginx."""


def raise_descriptor_limit() -> None:
    """Let this process open as many files and connections as it is allowed to at all.

    Raises:
        SettingsError: that is too few to serve.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < NEEDED_DESCRIPTORS + FEWEST_CONNECTIONS:
        raise SettingsError(
            f"expected to be allowed {NEEDED_DESCRIPTORS + FEWEST_CONNECTIONS} open files, "
            f"got {most}",
            where="the hard limit on open files (ulimit -Hn)",
            hint="raise it: ulimit -n in the shell, LimitNOFILE= in systemd, --ulimit in Docker",
        )
    raise_descriptors()


def kept_descriptors(limit: int) -> int:
    """How many of ``limit`` descriptors no connection gets: a quarter, within bounds."""
    return max(NEEDED_DESCRIPTORS, min(KEPT_DESCRIPTORS, limit // 4))


def connection_limit() -> int:
    """How many connections this process may hold now."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(limit - kept_descriptors(limit), 1)


def too_many(limit: int) -> Overloaded:
    """The error of a connection beyond ``limit``."""
    return Overloaded(
        f"{limit:,} connections are open already",
        hint="raise the limit on open files (ulimit -Hn), or add a server",
    )
