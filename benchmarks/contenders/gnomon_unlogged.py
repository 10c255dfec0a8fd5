"""Gnomon without its log, to measure what the log costs. Law 2 forbids to serve like this.

There is no setting for it, so the recorder is replaced by one that counts and answers, and neither
makes the record nor writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.contenders.gnomon_service import Gateway
from gnomon.service import recording, runtime
from gnomon.service.batching import Lane
from gnomon.service.recording import Recorder
from gnomon.service.records import Asked
from gnomon.service.ticket import Ticket

__all__ = ["Gateway"]


assert {"asked", "_append"} <= vars(Recorder).keys(), "the recorder logs in another way now"
assert "record" in vars(recording), "the recorder makes its records in another way now"


def _no_record(*args: Any, **kwargs: Any) -> None:
    return None


class _Unlogged(Recorder):
    def asked(self, lane: Lane, tickets: Sequence[Ticket], *args: Any) -> Asked:
        self._metrics.outside(lane.decoder.outside([row for t in tickets for row in t.rows]))
        return Asked(tickets, {}, None)

    def _append(self, batch: Any) -> None:
        return None


recording.record = _no_record  # type: ignore[assignment]
runtime.Recorder = _Unlogged  # type: ignore[misc]
