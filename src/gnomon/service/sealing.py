"""The sealer of one slice, and what is wrong with it, if anything."""

from __future__ import annotations

import time
from collections.abc import Callable

from gnomon.service.children import Child
from gnomon.settings import Settings

__all__ = ["Sealing"]

SILENT_SECONDS = 10.0
"""A sealer reports every two seconds, also while it works. One that is silent for so long is
stopped, or starved."""


class Sealing:
    """Keeps a sealer running.

    Args:
        model: the model whose log it seals.
        settings: handed down.
        on_death: called each time it ends unasked.
    """

    def __init__(self, model: str, settings: Settings, on_death: Callable[[], None]) -> None:
        self._child = Child(
            "gnomon.log.seal", ["--model", model], settings, self._on_report, on_death
        )
        self._reported: float | None = None
        self._error: str | None = None

    def start(self) -> None:
        """Start it, and again whenever it ends."""
        self._child.start()
        self._reported = time.monotonic()

    async def close(self) -> None:
        """End it; the next sealer finishes what it was doing."""
        await self._child.close()

    @property
    def trouble(self) -> str | None:
        """Why what is logged is not sealed."""
        if self._reported is None:
            return None
        silent = time.monotonic() - self._reported
        if silent > SILENT_SECONDS:
            return f"the sealer, process {self._child.pid}, has not reported for {silent:.0f} s"
        return None if self._error is None else f"the log is not sealed: {self._error}"

    def _on_report(self, report: dict[str, object]) -> None:
        self._reported = time.monotonic()
        error = report.get("error")
        self._error = None if error is None else str(error)
