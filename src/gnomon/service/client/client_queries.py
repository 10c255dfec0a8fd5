"""The calls of a client that only read: status, history, gates, quality, excuses, an audit."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnomon.rollout.history import RolloutEvent
from gnomon.service.access.identity import Identity
from gnomon.service.client import calls, query_calls
from gnomon.service.client.calls import AsyncSender, Sender
from gnomon.service.status.slice_status import Status

if TYPE_CHECKING:
    from gnomon.api.log_query import CheckedGates, GateChecks
    from gnomon.estimates.estimate_report import EstimateReport
    from gnomon.labels.label_counts import LabelStatus
    from gnomon.rollout.evidence.excuse import RecordedExcuse
    from gnomon.rollout.history.past_state import PastState
    from gnomon.rollout.quality.quality_report import QualityReport
    from gnomon.tokens.issued_tokens import IssuedToken

__all__ = ["AsyncClientQueries", "ClientQueries"]


class ClientQueries(Sender):
    """The calls of :class:`~gnomon.Client` that only read."""

    def status(self) -> Status:
        """Return what the answering slice runs, and its accounts."""
        return self._send(calls.status())

    def whoami(self) -> Identity:
        """Return who the server takes this client for, and its role."""
        return self._send(calls.whoami())

    def history(self) -> list[RolloutEvent]:
        """Return every rollout decision, oldest first.

        Raises:
            HistoryDamaged: its ``events`` are the decisions before the damage.
        """
        return self._send(calls.history())

    def label_status(self) -> LabelStatus:
        """Return how many answers have labels, and what became of all labels.

        The log is read for it. It has the rows of this slice's machine and the sealed ones.
        """
        return self._send(query_calls.label_status())

    def check_gates(self, artifact: str | None = None) -> GateChecks:
        """Evaluate the gates of an artifact, or of all shadows that may replace live.

        Args:
            artifact: its tag.

        Raises:
            Busy: the server is computing the same, or too much, for others: ask again.
            RolloutError: nothing is live.
        """
        return self._send(query_calls.check_gates(artifact))

    def check_gates_on_history(
        self,
        artifact: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> CheckedGates:
        """Replay an artifact over logged requests, and evaluate its gates on them.

        See :func:`gnomon.check_gates_on_history`. It needs the role operator, because the server
        runs the artifact for it.

        Args:
            artifact: its tag; it need not be a shadow.
            start: requests from this time on; in this machine's time zone, if it has none.
            end: requests before this time.

        Raises:
            Busy, RolloutError: as :meth:`check_gates`.
        """
        return self._send(query_calls.check_gates_on_history(artifact, start, end))

    def measure_quality(
        self,
        artifact: str | None = None,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> QualityReport:
        """Compare a shadow, or all running ones, with live by labels.

        Args:
            artifact: the tag of a shadow, running or stopped.
            start: rows that arrived from this time on; in this machine's time zone, if it has none.
            end: rows that arrived before this time.

        Raises:
            Busy, RolloutError: as :meth:`check_gates`.
        """
        return self._send(query_calls.measure_quality(artifact, start, end))

    def estimate_quality(
        self,
        artifact: str | None = None,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        chunk: timedelta | None = None,
    ) -> EstimateReport:
        """Estimate the quality of an artifact, or of live and its shadows, before labels are known.

        See :func:`gnomon.estimate_quality`; labelled rows of the log are the reference.

        Args:
            artifact: the tag of an artifact that answered or was a shadow.
            start: rows that arrived from this time on; in this machine's time zone, if it has none.
            end: rows that arrived before this time.
            chunk: the least width of a chunk of time.

        Raises:
            Busy, RolloutError: as :meth:`check_gates`.
        """
        return self._send(query_calls.estimate_quality(artifact, start, end, chunk))

    def wanted_labels(
        self,
        artifact: str,
        *,
        rows: int = 200,
        metric: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[dict[str, Any]]:
        """Return the rows without a label whose labels would decide soonest.

        Args:
            artifact: the tag of a shadow, running or stopped.
            rows: at most this many, up to 10,000.
            metric: by this loss; see :func:`gnomon.wanted_labels`.
            start: rows that arrived from this time on; in this machine's time zone, if it has none.
            end: rows that arrived before this time.

        Raises:
            Busy, RolloutError: as :meth:`check_gates`.
            PolicyError: the artifacts do not have this metric.
        """
        found = self._send(query_calls.wanted_labels(artifact, rows, metric, start, end))
        return list(found.rows)

    def export_audit(
        self,
        path: Path | str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> None:
        """Save every decision, and what it rests on, as one file, which is not signed.

        Args:
            path: the file to write; one that exists is not replaced.
            start: leave out decisions before this time; in this machine's time zone, if it has
                none.
            end: leave out decisions from this time on.

        Raises:
            Busy: as :meth:`check_gates`.
            InvalidRequest: no decision is in the range.
            SettingsError: the file exists.
        """
        from gnomon.audit.bundle_file import save_bundle  # Other calls need no audit.

        save_bundle(Path(path), self._send(query_calls.export_audit(start, end)))

    def excuses(self) -> tuple[RecordedExcuse, ...]:
        """Return the excuses that were not ended, also those that have expired."""
        return self._send(query_calls.excuses()).excuses

    def history_at(self, time: datetime) -> PastState:
        """Return what answered at a time, by which decision and on what evidence.

        Args:
            time: the time; in this machine's time zone, if it has none.
        """
        return self._send(query_calls.history_at(time))

    def tokens(self) -> tuple[IssuedToken, ...]:
        """Return the tokens for the deployment, without secrets. It needs the role forcer."""
        return self._send(query_calls.tokens()).tokens


class AsyncClientQueries(AsyncSender):
    """The calls of :class:`~gnomon.AsyncClient` that only read."""

    async def status(self) -> Status:
        """Like :meth:`Client.status`."""
        return await self._send(calls.status())

    async def whoami(self) -> Identity:
        """Like :meth:`Client.whoami`."""
        return await self._send(calls.whoami())

    async def history(self) -> list[RolloutEvent]:
        """Like :meth:`Client.history`."""
        return await self._send(calls.history())

    async def label_status(self) -> LabelStatus:
        """Like :meth:`Client.label_status`."""
        return await self._send(query_calls.label_status())

    async def check_gates(self, artifact: str | None = None) -> GateChecks:
        """Like :meth:`Client.check_gates`."""
        return await self._send(query_calls.check_gates(artifact))

    async def check_gates_on_history(
        self,
        artifact: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> CheckedGates:
        """Like :meth:`Client.check_gates_on_history`."""
        return await self._send(query_calls.check_gates_on_history(artifact, start, end))

    async def measure_quality(
        self,
        artifact: str | None = None,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> QualityReport:
        """Like :meth:`Client.measure_quality`."""
        return await self._send(query_calls.measure_quality(artifact, start, end))

    async def estimate_quality(
        self,
        artifact: str | None = None,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        chunk: timedelta | None = None,
    ) -> EstimateReport:
        """Like :meth:`Client.estimate_quality`."""
        return await self._send(query_calls.estimate_quality(artifact, start, end, chunk))

    async def wanted_labels(
        self,
        artifact: str,
        *,
        rows: int = 200,
        metric: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[dict[str, Any]]:
        """Like :meth:`Client.wanted_labels`."""
        found = await self._send(query_calls.wanted_labels(artifact, rows, metric, start, end))
        return list(found.rows)

    async def export_audit(
        self,
        path: Path | str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> None:
        """Like :meth:`Client.export_audit`."""
        from gnomon.audit.bundle_file import save_bundle  # Other calls need no audit.

        save_bundle(Path(path), await self._send(query_calls.export_audit(start, end)))

    async def excuses(self) -> tuple[RecordedExcuse, ...]:
        """Like :meth:`Client.excuses`."""
        return (await self._send(query_calls.excuses())).excuses

    async def history_at(self, time: datetime) -> PastState:
        """Like :meth:`Client.history_at`."""
        return await self._send(query_calls.history_at(time))

    async def tokens(self) -> tuple[IssuedToken, ...]:
        """Like :meth:`Client.tokens`."""
        return (await self._send(query_calls.tokens())).tokens
