"""Restart a gateway soon after it has ended.

BentoML's processes are supervised by circus, which checks them every ten seconds. Clients would
wait that long for the next gateway, so circus is told to check more often. In a container that
BentoML built it would start none again: the server would end with its last gateway, and with it the
worker that the next one could take over.
"""

from __future__ import annotations

from typing import Any

from gnomon.compat.circus import Arbiter, ConflictError, supervise_with

__all__ = ["restart_promptly"]

LOOK_SECONDS = 0.1


class PromptArbiter(Arbiter):  # type: ignore[misc]
    """The process that starts gateways, and starts one again as soon as it has ended."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "check_delay": LOOK_SECONDS})
        for watcher in self.watchers:
            watcher.respawn = True

    def manage_watchers(self) -> Any:
        """Start what has ended again, unless the arbiter is just starting or stopping it all."""
        try:
            return super().manage_watchers()
        except ConflictError:
            return None


def restart_promptly() -> None:
    """To be called in the process that serves a deployment, before it makes its arbiter."""
    supervise_with(PromptArbiter)
