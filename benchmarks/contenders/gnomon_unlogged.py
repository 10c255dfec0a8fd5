"""Gnomon without its log, to measure what the log costs. Law 2 forbids to serve like this.

There is no setting for it, so the recorder is replaced by one that counts and answers, and neither
makes the record nor writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.contenders.gnomon_service import Gateway
from gnomon.errors import LogUnavailable
from gnomon.service.lane import recording
from gnomon.service.lane.pending_request import PendingRequest
from gnomon.service.lane.recording import Recorder
from gnomon.service.lane.records import PendingRecords
from gnomon.service.slice import runtime

__all__ = ["Gateway"]


assert "_append" in vars(Recorder), "the recorder appends in another way now"
assert {"PendingRecords", "record"} <= vars(recording).keys(), (
    "it makes its records in another way now"
)


class _Nothing(PendingRecords):
    """What is known of requests whose record is not made."""

    @classmethod
    def of(cls, requests: Sequence[PendingRequest], *args: Any, **kwargs: Any) -> PendingRecords:
        return cls(requests, {}, None)


class _Unlogged(Recorder):
    def _append(self, batch: Any, settle: Callable[[LogUnavailable | None], None]) -> None:
        settle(None)


recording.PendingRecords = _Nothing  # type: ignore[misc]
recording.record = lambda *args, **kwargs: None  # type: ignore[assignment]
runtime.Recorder = _Unlogged  # type: ignore[misc]
