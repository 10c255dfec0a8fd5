"""The prompt restart of a gateway that has ended.

BentoML's processes are supervised by circus, which checks them every ten seconds. Clients would
wait that long for the next gateway, so circus is set to check more often. In a container that
BentoML built, circus would not restart gateways: the server would end with its last gateway, and
with it the worker that the next gateway could take over.
"""

from __future__ import annotations

from typing import Any

from gnomon.compat.circus import Arbiter, ConflictError, supervise_with

__all__ = ["restart_promptly"]

LOOK_SECONDS = 0.1


class PromptArbiter(Arbiter):  # type: ignore[misc]
    """The arbiter, which starts gateways, and restarts one as soon as it has ended."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "check_delay": LOOK_SECONDS})
        for watcher in self.watchers:
            watcher.respawn = True

    def manage_watchers(self) -> Any:
        """Restart processes that have ended, unless the arbiter starts or stops all of them."""
        try:
            return super().manage_watchers()
        except ConflictError:
            return None


def restart_promptly() -> None:
    """Make BentoML use :class:`PromptArbiter`; to be called before it makes its arbiter."""
    supervise_with(PromptArbiter)
