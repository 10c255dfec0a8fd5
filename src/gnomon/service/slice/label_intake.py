"""Labels that clients send: what arrives while some are being written is written together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa

from gnomon.contract.contract import Contract
from gnomon.errors import NotReady
from gnomon.rollout.labels.label import AcceptedLabels
from gnomon.rollout.labels.label_body import decode_labels
from gnomon.rollout.labels.label_reader import LabelReader
from gnomon.rollout.labels.label_store import LabelStore, LabelWriter
from gnomon.service.lane.batching import Lane
from gnomon.service.tasks import Tasks, in_thread
from gnomon.settings import Settings

__all__ = ["LABEL_BYTES", "LabelIntake"]

LABEL_BYTES = 1024 * 1024
"""The largest body: some thousand labels. Decoding more at once would delay predictions."""


class _Posted:
    """A body that waits to be written, and what became of it."""

    def __init__(self, body: bytes | bytearray, lines: bool) -> None:
        self.body = body
        self.lines = lines
        self.result: asyncio.Future[AcceptedLabels] = asyncio.get_running_loop().create_future()


class LabelIntake:
    """Stores labels; only one thread at a time writes.

    Args:
        settings: have the storage root and the limits of a request.
        model: the model's name.
        live: returns the live lane, whose contract says what labels may be.
        tasks: runs the writing to its end.
    """

    def __init__(
        self, settings: Settings, model: str, live: Callable[[], Lane | None], tasks: Tasks
    ) -> None:
        self._settings = settings
        self._live = live
        self._tasks = tasks
        self._writer = LabelWriter(LabelStore(settings, model))
        self._reader: tuple[Contract, LabelReader] | None = None
        self._waiting: list[_Posted] = []
        self._is_writing = False

    async def add(self, body: bytes | bytearray, *, lines: bool) -> AcceptedLabels:
        """Store the labels of a body; they are on disk when this returns.

        If one of them is wrong, none is stored.

        Args:
            body: as :func:`~gnomon.rollout.labels.label_body.decode_labels` takes it.
            lines: whether each line is a label.

        Raises:
            NotReady: nothing is live, so that the contract is not known.
            InvalidRequest: a label is wrong.
            StorageError: they could not be written; sending them again is harmless.
        """
        posted = _Posted(body, lines)
        self._waiting.append(posted)
        if not self._is_writing:
            self._is_writing = True
            self._tasks.finish(self._write())
        return await posted.result

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                live = self._live()
                contract = None if live is None else live.contract
                results = await in_thread(self._store, [(p.body, p.lines) for p in batch], contract)
                for posted, result in zip(batch, results, strict=True):
                    _settle(posted.result, result)
        finally:
            self._is_writing = False

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
        if self._reader is None or self._reader[0] is not contract:
            self._reader = contract, LabelReader(contract)
        labels = decode_labels(body, lines=lines, most=self._settings.body_rows)
        records = self._reader[1].records(labels, datetime.now(UTC))
        return AcceptedLabels(len(labels)), records


def _settle(future: asyncio.Future[AcceptedLabels], result: AcceptedLabels | BaseException) -> None:
    if future.done():  # The client is gone.
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
