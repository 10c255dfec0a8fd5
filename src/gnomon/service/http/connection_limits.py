"""The limits on clients' descriptors, and on their time when the server stops or has answered.

A gateway itself needs descriptors: for log segments, workers, shadows and the storage root. If
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
"""The most descriptors that are reserved for the gateway itself."""
NEEDED_DESCRIPTORS = 96
"""Enough for a gateway without connections, with shadows, and to replace a worker;
``tests/faults/test_clients.py`` tests this with exactly as many."""
FEWEST_CONNECTIONS = 32
"""Fewer are not enough to serve: probes and a few clients use as many."""

STOP_SECONDS = 2.0
"""Time for a client to finish its request, or to take its answer, when the server stops."""
LINGER_SECONDS = 5.0
"""Time for a client to read the answer to a request it has not sent completely, as in nginx."""


def raise_descriptor_limit() -> None:
    """Raise the limit on open files and connections to the highest that this process may set.

    Raises:
        SettingsError: the limit is too low to serve.
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
    """Return how many of ``limit`` descriptors connections cannot use: a quarter, within bounds."""
    return max(NEEDED_DESCRIPTORS, min(KEPT_DESCRIPTORS, limit // 4))


def connection_limit() -> int:
    """Return how many connections this process may have now."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(limit - kept_descriptors(limit), 1)


def too_many(limit: int) -> Overloaded:
    """Return the error for a connection beyond ``limit``."""
    return Overloaded(
        f"{limit:,} connections are open already",
        hint="raise the limit on open files (ulimit -Hn), or add a server",
    )
