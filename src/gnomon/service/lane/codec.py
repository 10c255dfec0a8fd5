"""The decoding of large bodies, and the encoding of large answers, in a separate process.

Parsing 16 megabytes of JSON takes tens of milliseconds, or seconds if the body was made to be slow.
It blocks the interpreter all that time, so a thread would not help. Small bodies are decoded at
once (:meth:`gnomon.contract.Decoder.decode_soon`), all others here, while the gateway serves other
clients.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import pyarrow as pa

from gnomon.errors import DeadlineExceeded, WorkerError
from gnomon.service.children import start_process, streams
from gnomon.service.lane.codec_messages import (
    Failed,
    Read,
    ReadBody,
    ReadRecords,
    Records,
    Reply,
    Request,
    WriteAnswer,
    Written,
    packed,
    receive_reply,
)
from gnomon.settings import Settings
from gnomon.worker import messages
from gnomon.worker.spawn import reap

__all__ = ["Codec"]

logger = logging.getLogger("gnomon")


R = TypeVar("R", Read, Records, Written)


class _Peer(NamedTuple):
    """A running process and the streams to it."""

    process: subprocess.Popen[bytes]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Codec:
    """The process that decodes large bodies and encodes large answers, one at a time, in order.

    It is started by :meth:`start` or by the first request that needs it, and again after it has
    ended.

    Args:
        settings: passed to the process; ``deadline`` is how long one body may take.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()
        self._peer: _Peer | None = None
        self._starting: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None while the process does not run."""
        return None if self._peer is None else self._peer.process.pid

    def start(self) -> None:
        """Start the process, so that the first large body does not wait for it."""
        self._starting = asyncio.get_running_loop().create_task(self._prepare())

    async def close(self) -> None:
        """End the process; no request may be under way."""
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        await self._end()

    async def read(
        self, contract: bytes, schema: pa.Schema, body: bytes | bytearray, most_rows: int
    ) -> tuple[Read, pa.RecordBatch]:
        """Decode a request body.

        Args:
            contract: as JSON.
            schema: the contract's input schema.
            body: the body as it was received.
            most_rows: the most rows it may have.

        Raises:
            InvalidRequest: see :meth:`gnomon.contract.Decoder.decode`.
            DeadlineExceeded: the body took too long, or waited too long.
            WorkerError: the process ended while it decoded the body.
        """
        reply, payload = await self._ask(ReadBody(most_rows), contract, body, Read)
        return reply, messages.read_batch(payload, schema)

    async def read_records(
        self, contract: bytes, schema: pa.Schema, part: bytes, form: str
    ) -> tuple[Records, bytes, pa.RecordBatch | None]:
        """Decode a part of a stream, each record separately.

        Args:
            contract: as JSON.
            schema: the contract's input schema.
            part: the records.
            form: see :class:`~gnomon.service.lane.codec_messages.ReadRecords`.

        Returns:
            The reply, and the records that satisfy the contract, as a request body and as rows.

        Raises:
            InvalidRequest: the part cannot be read at all.
            DeadlineExceeded: the part took too long, or waited too long.
            WorkerError: the process ended while it decoded the part.
        """
        reply, payload = await self._ask(ReadRecords(form), contract, part, Records)
        if not reply.body:
            return reply, b"", None
        batch = messages.read_batch(memoryview(payload)[reply.body :], schema)
        return reply, payload[: reply.body], batch

    async def write(
        self,
        contract: bytes,
        scored: pa.RecordBatch,
        request_id: str,
        artifact: str,
        numbers: Sequence[int] | None = None,
    ) -> bytes:
        """Encode the answer to a request of many rows as JSON.

        See :func:`~gnomon.service.lane.answer_encoding.many`. With ``numbers`` each row is on a
        separate line (:func:`~gnomon.service.lane.answer_encoding.lines`).

        Raises:
            DeadlineExceeded: the answer took too long, or waited too long.
            WorkerError: the process ended while it encoded the answer.
        """
        line_numbers = None if numbers is None else tuple(numbers)
        request = WriteAnswer(request_id, artifact, line_numbers)
        _, payload = await self._ask(request, contract, scored.serialize(), Written)
        return payload

    async def _ask(
        self,
        request: Request,
        contract: bytes,
        payload: bytes | bytearray | pa.Buffer,
        kind: type[R],
    ) -> tuple[R, bytes]:
        try:
            async with asyncio.timeout(self._settings.deadline), self._turn:
                reply, answer = await self._exchange(request, contract, payload)
        except TimeoutError:
            raise DeadlineExceeded(
                f"a body of {len(payload):,} bytes was not read or written within "
                f"{self._settings.deadline:g} s",
                hint="the server is overloaded; GNOMON_DEADLINE is the limit",
            ) from None
        if isinstance(reply, Failed):
            raise reply.error()
        assert isinstance(reply, kind)
        return reply, answer

    async def _exchange(
        self,
        request: Request,
        contract: bytes,
        payload: bytes | bytearray | pa.Buffer,
    ) -> tuple[Reply, bytes]:
        peer = self._peer or await self._start()
        try:
            for block in packed(request, contract, payload):
                peer.writer.write(block)
            await peer.writer.drain()
            return await receive_reply(peer.reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            code = await self._end()
            detail = "" if code is None else f", with exit code {code}"
            raise WorkerError(
                f"the process that decodes large requests ended while it had this one{detail}",
                hint="send fewer rows per request",
            ) from None
        except BaseException:  # A later reply would be taken for that to the next request.
            await self._end()
            raise

    async def _prepare(self) -> None:
        async with self._turn:
            if self._peer is None:
                await self._start()

    async def _start(self) -> _Peer:
        try:
            process, parent_socket = start_process(
                "gnomon.service.lane.codec_process", [], self._settings
            )
        except OSError as error:
            raise WorkerError(
                f"cannot start the process that decodes large requests: {error.strerror}",
                hint="free processes, memory or open files for the server",
            ) from None
        self._peer = _Peer(process, *await streams(parent_socket))
        return self._peer

    async def _end(self) -> int | None:
        peer, self._peer = self._peer, None
        if peer is None:
            return None
        peer.writer.transport.abort()
        if peer.process.poll() is None:
            peer.process.kill()
        return await asyncio.to_thread(reap, peer.process)
