"""Labels that clients send: what arrives while some are being written is written together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime

import pyarrow as pa

from gnomon.artifact import contracts_of
from gnomon.contract.contract import Contract
from gnomon.errors import NotReady
from gnomon.labels.label import AcceptedLabels
from gnomon.labels.label_body import decode_labels
from gnomon.labels.label_reader import LabelReader
from gnomon.labels.label_store import LabelStore, LabelWriter
from gnomon.service.http.body_budget import BodyBudget
from gnomon.service.lane.batching import Lane
from gnomon.service.tasks import OwnThreads, Tasks
from gnomon.settings import Settings

__all__ = ["LABEL_BYTES", "TASK_BYTES", "WAITING_BYTES", "LabelIntake"]

LABEL_BYTES = 1024 * 1024
"""The largest body: some thousand labels. Decoding more at once would delay predictions."""

WAITING_BYTES = 16 * 1024 * 1024
"""The most bytes of bodies that are being received or wait to be written. They have a budget of
their own: while the storage root hangs, labels are refused, and predictions are not."""

TASK_BYTES = 1024
"""What a waiting body counts besides its bytes, for the request and its task."""

_BATCH_BYTES = 4 * 1024 * 1024
"""The bodies that are decoded and written at once have no more bytes, unless it is one."""


class _Posted:
    """A body that waits to be written, and what became of it."""

    def __init__(self, body: bytes | bytearray, lines: bool, release: Callable[[], None]) -> None:
        self.body = body
        self.lines = lines
        self.release = release
        self.result: asyncio.Future[AcceptedLabels] = asyncio.get_running_loop().create_future()


class LabelIntake:
    """Stores labels; only one thread at a time writes.

    Args:
        settings: have the storage root and the limits of a request.
        model: the model's name.
        live: returns the live lane.
        artifacts: returns the tags of all artifacts whose answers may be labelled: a label may be
            any class that one of them knows.
        tasks: runs the writing to its end.

    Attributes:
        held: counts every byte that is being received or waits.
    """

    def __init__(
        self,
        settings: Settings,
        model: str,
        live: Callable[[], Lane | None],
        artifacts: Callable[[], frozenset[str]],
        tasks: Tasks,
    ) -> None:
        self._settings = settings
        self._live = live
        self._artifacts = artifacts
        self._tasks = tasks
        self._writer = LabelWriter(LabelStore(settings, model))
        self._reader: LabelReader | None = None
        self._read_by: tuple[Contract, frozenset[str]] | None = None
        self._waiting: deque[_Posted] = deque()
        self._writing = OwnThreads("write labels", 1)
        self.held = BodyBudget(WAITING_BYTES, free=0, what="labels")
        self._is_writing = False

    def close(self) -> None:
        """End the threads."""
        self._writing.close()

    async def add(self, body: bytes | bytearray, *, lines: bool) -> AcceptedLabels:
        """Store the labels of a body; they are on disk when this returns.

        If one of them is wrong, none is stored.

        Args:
            body: as :func:`~gnomon.labels.label_body.decode_labels` takes it.
            lines: whether each line is a label.

        Raises:
            NotReady: nothing is live, so that the contract is not known.
            InvalidRequest: a label is wrong.
            Overloaded: too many bytes wait already.
            StorageError: they could not be written; sending them again is harmless.
        """
        with ExitStack() as counted:
            counted.enter_context(self.held.body())(len(body) + TASK_BYTES)
            # It counts until it is written, even if the client goes away before.
            posted = _Posted(body, lines, counted.pop_all().close)
        self._waiting.append(posted)
        if not self._is_writing:
            self._is_writing = True
            self._tasks.finish(self._write())
        return await posted.result

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch = self._next_batch()
                live = self._live()
                contract = None if live is None else live.contract
                try:
                    bodies = [(posted.body, posted.lines) for posted in batch]
                    results = await self._writing.run(self._store, bodies, contract)
                finally:
                    for posted in batch:
                        posted.release()
                for posted, result in zip(batch, results, strict=True):
                    _settle(posted.result, result)
        finally:
            self._is_writing = False

    def _next_batch(self) -> list[_Posted]:
        batch = [self._waiting.popleft()]
        size = len(batch[0].body)
        while self._waiting and size + len(self._waiting[0].body) <= _BATCH_BYTES:
            batch.append(self._waiting.popleft())
            size += len(batch[-1].body)
        return batch

    def _store(
        self, bodies: list[tuple[bytes | bytearray, bool]], contract: Contract | None
    ) -> list[AcceptedLabels | BaseException]:
        """Write the labels of all bodies that are right, at once."""
        results: list[AcceptedLabels | BaseException] = []
        good: list[pa.RecordBatch] = []
        for body, lines in bodies:
            try:
                accepted, records = self._records(body, lines, contract)
                good.append(records)
                results.append(accepted)
            except Exception as error:
                results.append(error)
        try:
            if good:
                self._writer.add(pa.concat_batches(good))
        except Exception as error:
            return [error if isinstance(r, AcceptedLabels) else r for r in results]
        return results

    def _records(
        self, body: bytes | bytearray, lines: bool, contract: Contract | None
    ) -> tuple[AcceptedLabels, pa.RecordBatch]:
        if contract is None:
            raise NotReady("no artifact is live yet, and its contract says what labels may be")
        reader = self._reader_of(contract, self._artifacts())
        labels = decode_labels(body, lines=lines, most=self._settings.body_rows)
        records = reader.records(labels, datetime.now(UTC))
        return AcceptedLabels(len(labels)), records

    def _reader_of(self, live: Contract, artifacts: frozenset[str]) -> LabelReader:
        if self._reader is None or self._read_by != (live, artifacts):
            self._reader = LabelReader(live, contracts_of(sorted(artifacts)))
            self._read_by = live, artifacts
        return self._reader


def _settle(future: asyncio.Future[AcceptedLabels], result: AcceptedLabels | BaseException) -> None:
    if future.done():  # The client is gone.
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
