"""The shadow feed: a process that reads a slice's requests as they are logged and scores them too.

It tails the slice's request segments, decodes every body by the shadow's contract, scores it in a
separate worker, compares the answer with live's, and appends records to a separate log. Each record
names the batch it is about, so that log also holds the feed's position in the requests: the feed
may be killed at any time without repeating or losing a row.

It runs no user code. When the artifact is missing, or its worker does not start, the feed reports
the error and tries again; the rows to score wait.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pyarrow as pa

from gnomon.artifact import Artifact, inspect
from gnomon.contract import Contract
from gnomon.errors import GnomonError, LogUnavailable
from gnomon.log import (
    REQUESTS,
    STOPPED,
    Position,
    SegmentWriter,
    recover,
    shadow_schema,
    shadow_stream,
    stream_folder,
)
from gnomon.log.table.log_table import LogTable
from gnomon.policy import Policy
from gnomon.settings import Settings
from gnomon.shadow.feed.attempt import MOST_TRIES, Attempt, Attempts
from gnomon.shadow.feed.reporter import Reporter
from gnomon.shadow.feed.run import Run
from gnomon.shadow.feed.shadowing import Shadowing
from gnomon.shadow.feed.source import Reading, Source
from gnomon.worker import WorkerClient

__all__ = ["Feed"]

logger = logging.getLogger("gnomon.shadow.feed")

POLL_SECONDS = 0.02
GULP_SECONDS = 0.25
"""Pause when everything logged was read. A call takes a pipeline nearly as long for one row as for
a hundred, and takes processor time from live on the same machine: few large calls take least."""
RETRY_SECONDS = 5.0
REST_SECONDS = 2.0
"""About twenty times what it takes to fork a worker and have it die."""
START_PATIENCE = 5
"""A factor on ``worker_start_seconds``: at low priority on a busy machine a worker loads slowly,
and no client waits for it."""

_NOTHING = shadow_schema(Contract(task="regression", features=(), outputs=()))
"""The columns of the first segment, which has no rows: the contract is read later."""


class Feed:
    """One shadow's feed from one slice's requests; ``run`` ends with the process.

    Args:
        run: the shadow, its start and its sample. Its artifact need not be available yet.
        policy: has the comparators.
        settings: the slice's settings.
        slice_name: the slice.
        parent_socket: the socket to the gateway.

    Raises:
        LogError: a segment is damaged.
        LogUnavailable: another feed of this shadow runs, or the log cannot be written.
    """

    def __init__(
        self,
        run: Run,
        policy: Policy,
        settings: Settings,
        slice_name: str,
        parent_socket: socket.socket,
    ) -> None:
        model, _, version = run.artifact.partition(":")
        self._requests = stream_folder(settings, model, slice_name, REQUESTS)
        folder = stream_folder(settings, model, slice_name, shadow_stream(version))
        _wait_for_another(folder)
        (folder / STOPPED).unlink(missing_ok=True)
        self._table = LogTable(settings, model)
        run, self._recorded = run.resumed(folder, self._table)
        self._run = run
        self._policy = policy
        self._settings = settings
        self._attempts = Attempts(folder)
        self._last = self._attempts.recounted(run.epoch, self._table)
        self._careful_until = self._last.blamed_until(self._recorded)
        # The first segment records from where on rows are eligible, even without the artifact.
        self._writer = SegmentWriter(
            folder,
            _NOTHING,
            settings=settings,
            metadata=run.metadata,
            read_to=self._recorded,
        )
        run.keep(folder)
        self._totals = self._last.totals
        self._reporter = Reporter(parent_socket, self._reading(), self._totals, self._writer.fsync)

    def run(self) -> NoReturn:
        """Score requests as they are logged, until the process ends."""
        self._reporter.start()
        while True:
            try:
                self._work(inspect(self._run.artifact))
            except GnomonError as error:
                # No row is to blame for a worker that does not start.
                self._begin(tries=0)
                self._reporter.trouble(str(error))
                time.sleep(RETRY_SECONDS)

    def _work(self, artifact: Artifact) -> NoReturn:
        """Start a worker for the artifact and score with it."""
        settings = self._settings
        seconds = settings.worker_start_seconds * START_PATIENCE
        patient_settings = msgspec.structs.replace(settings, worker_start_seconds=seconds)
        self._shadowing = Shadowing(artifact, self._policy, self._run.epoch, settings.batch_rows)
        self._writer.rotate(self._shadowing.schema, read_to=self._recorded)
        deadline = settings.shadow_deadline
        with WorkerClient(
            artifact, patient_settings, deadline=deadline, after_death=self._rest
        ) as client:
            self._follow(client)

    def _follow(self, client: WorkerClient) -> NoReturn:
        with contextlib.closing(self._reading()) as reading:
            while True:
                self._reporter.worker = client.pid
                sources = reading.poll()
                for source in sources:
                    for part in source.cut(self._most_rows):
                        self._take(client, part)
                if not sources:
                    self._rotate_if_due()
                    self._reporter.at_end(reading.position)
                if reading.at_end:
                    time.sleep(GULP_SECONDS)

    def _take(self, client: WorkerClient, source: Source) -> None:
        if not source.rows:
            self._pass(source.end)
        elif self._is_careful:
            self._record(self._records_one_by_one(client, source), source.recorded)
        else:
            self._begin(until=source.end, tries=self._tries(None) + 1)
            self._record(self._records(client, source), source.recorded)

    def _rest(self, deaths: int) -> None:
        """Pause when the worker dies more often in a row than one bad row explains, to spare live.

        One bad row explains a death in the largest batch, one in each half that contains the row,
        down to the row alone, and one more.
        """
        if deaths > self._settings.batch_rows.bit_length() + 1:
            self._reporter.trouble(
                f"the worker died {deaths:,} times in a row; each time the feed pauses "
                f"{REST_SECONDS:g} s, as starting a worker takes processor time from live"
            )
            time.sleep(REST_SECONDS)

    def _most_rows(self) -> int:
        return 1 if self._is_careful else self._shadowing.pace.rows

    @property
    def _is_careful(self) -> bool:
        """Whether earlier feeds died on the next requests."""
        return self._recorded < self._careful_until

    def _reading(self) -> Reading:
        run = self._run
        return Reading(self._requests, self._recorded, run.entity_key, run.fraction, self._table)

    def _records(self, client: WorkerClient, source: Source) -> pa.RecordBatch:
        """Return records of these rows; a request on which Gnomon's own code raises fails alone."""
        try:
            return self._shadowing.records(client, source)
        except GnomonError:
            raise
        except Exception as error:
            requests = source.requests
            if len(requests) > 1:
                single_sources = (source.alone(request) for request in requests)
                return pa.concat_batches(
                    [self._records(client, request_source) for request_source in single_sources]
                )
            logger.exception("cannot shadow request %s", requests[0])
            reason = f"{type(error).__name__}: {error}"
            return self._shadowing.unscored(source, "failed", reason)

    def _records_one_by_one(self, client: WorkerClient, source: Source) -> pa.RecordBatch:
        """Return records of a batch on which a feed died twice, trying each request alone."""
        crashed = list(self._last.crashed) if self._is_last() else []
        records = []
        for request in source.requests:
            request_source = source.alone(request)
            tries = self._tries(request)
            if tries >= MOST_TRIES and request not in crashed:
                crashed.append(request)
            if request in crashed:
                reason = f"crashed: the request ended the shadow feed {MOST_TRIES} times"
                records.append(self._shadowing.unscored(request_source, "crashed", reason))
            else:
                self._begin(
                    until=self._careful_until,
                    tries=tries + 1,
                    suspect=request,
                    crashed=tuple(crashed),
                )
                records.append(self._records(client, request_source))
        return pa.concat_batches(records)

    def _is_last(self) -> bool:
        """Return whether the previous feed died at this position."""
        return self._last.position == str(self._recorded)

    def _tries(self, suspect: str | None) -> int:
        """Return how often earlier feeds began this attempt and died."""
        return self._last.tries if self._is_last() and self._last.suspect == suspect else 0

    def _begin(self, *, until: Position | None = None, **fields: Any) -> None:
        self._attempts.begin(
            Attempt(
                epoch=self._run.epoch,
                position=str(self._recorded),
                until=str(until or self._recorded),
                own=str(self._writer.position),
                totals=self._totals,
                **fields,
            )
        )

    def _record(self, records: pa.RecordBatch, end: Position) -> None:
        """Append records, retrying for as long as it takes: no client waits for an error."""
        while True:
            try:
                if self._writer.needs_rotation:
                    self._writer.rotate()
                self._writer.append(records)
                break
            except LogUnavailable as error:
                self._reporter.trouble(str(error))
                time.sleep(RETRY_SECONDS)
        self._recorded = end
        self._totals = self._totals.plus(records)
        self._reporter.done(self._totals, end, records)
        if self._shadowing.incomparable is not None:
            self._reporter.trouble(self._shadowing.incomparable)

    def _rotate_if_due(self) -> None:
        """Close a segment that is due, so that it can be sealed even if no more records follow."""
        if self._writer.needs_rotation:
            with contextlib.suppress(LogUnavailable):
                self._writer.rotate()

    def _pass(self, end: Position) -> None:
        """Record that request segments without eligible rows were read, so that they are sealed."""
        if end.sequence > self._recorded.sequence:
            with contextlib.suppress(LogUnavailable):
                self._writer.rotate(read_to=end)
                self._recorded = end
                self._reporter.done(self._totals, end, None)


def _wait_for_another(folder: Path) -> None:
    """Wait until the feed of an earlier gateway, which was killed, has ended too."""
    deadline = time.monotonic() + RETRY_SECONDS
    while not recover(folder):
        if time.monotonic() > deadline:
            raise LogUnavailable("another feed of this shadow runs", where=str(folder))
        time.sleep(POLL_SECONDS)
