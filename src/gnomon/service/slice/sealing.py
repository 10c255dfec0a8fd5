"""The sealer of one slice, and its error, if there is one."""

from __future__ import annotations

import time
from collections.abc import Callable

from gnomon.service.children import Child
from gnomon.settings import Settings

__all__ = ["Sealing"]

SILENT_SECONDS = 10.0
"""A sealer without a report for this long is stopped or gets no processor time: it reports every
two seconds, also while it works."""


class Sealing:
    """Keeps a sealer running.

    Args:
        model: the model whose log it seals.
        settings: passed to the sealer.
        on_death: called each time the sealer ends unexpectedly.
    """

    def __init__(self, model: str, settings: Settings, on_death: Callable[[], None]) -> None:
        self._child = Child(
            "gnomon.log.seal", ["--model", model], settings, self._on_report, on_death
        )
        self._reported: float | None = None
        self._error: str | None = None

    def start(self) -> None:
        """Start the sealer, and start it again whenever it ends."""
        self._child.start()
        self._reported = time.monotonic()

    async def close(self) -> None:
        """End the sealer; the next one finishes its work."""
        await self._child.close()

    @property
    def trouble(self) -> str | None:
        """Why the log is not sealed; None if it is."""
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
