"""Gnomon without its log, to measure what the log costs. Law 2 forbids to serve like this.

There is no setting for it, so the recorder is replaced by one that counts and answers, and neither
makes the record nor writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.contenders.gnomon_service import Gateway
from gnomon.service import runtime
from gnomon.service.recording import Recorder
from gnomon.service.ticket import Ticket

__all__ = ["Gateway"]


class _Rows:
    """All that the recorder asks of a record that is not there."""

    def __init__(self, count: int) -> None:
        self.num_rows = count


assert {"_batch", "_append"} <= vars(Recorder).keys(), "the recorder logs in another way now"


class _Unlogged(Recorder):
    def _batch(self, tickets: Sequence[Ticket], *args: Any, **kwargs: Any) -> Any:
        return _Rows(sum(len(ticket.rows) for ticket in tickets))

    def _append(self, batch: Any, schema: Any) -> None:
        return None


runtime.Recorder = _Unlogged  # type: ignore[misc]
