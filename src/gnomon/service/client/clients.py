"""Clients of a Gnomon server, for threads and for asyncio.

::

    with gnomon.Client("http://127.0.0.1:3000") as client:
        answer = client.predict({"carrier": "UA", "distance": 2475})
        answer.prediction, answer.probabilities["late"], answer.artifact

Nothing is retried. Errors of the server are raised as the same classes:
:class:`~gnomon.errors.InvalidRequest` with the path of the offending field,
:class:`~gnomon.errors.GateRefused` with the gates that do not pass, and so on.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

import httpx

from gnomon.errors import GnomonError, NotReady, ServerError, SettingsError
from gnomon.labels.label import AcceptedLabels
from gnomon.service.client import calls
from gnomon.service.client.answers import Prediction, Predictions
from gnomon.service.client.calls import HttpCall
from gnomon.service.client.client_decisions import AsyncClientDecisions, ClientDecisions
from gnomon.service.client.client_queries import AsyncClientQueries, ClientQueries
from gnomon.service.client.duplex import BackgroundLoop, Duplex
from gnomon.service.client.failures import reaching
from gnomon.service.client.rows import Record, Rows, is_nameless
from gnomon.service.client.stream_calls import (
    Progress,
    RowStream,
    StreamCoder,
    StreamRow,
    chunked,
    chunked_async,
)
from gnomon.service.http.media_types import ARROW, LINES

if TYPE_CHECKING:
    import pyarrow as pa

    from gnomon.contract import Contract

__all__ = ["AsyncClient", "Client"]

T = TypeVar("T")
Transport = TypeVar("Transport")

DEFAULT_URL = "http://127.0.0.1:3000"
READY_POLL_SECONDS = 0.1


class _Connection(ABC, Generic[Transport]):
    """The server's address and tokens, for both clients."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        control_token: str | None = None,
        predict_token: str | None = None,
        by: str | None = None,
        timeout: float = 30.0,
        transport: Transport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._control_token = _token(control_token, "control_token")
        self._predict_token = _token(predict_token, "predict_token")
        self._by = by
        self._timeout = timeout
        self._has_transport = transport is not None
        # Reading the system's certificates takes longer than most calls, and plain HTTP needs none.
        self._open(transport, verify=self.url.startswith("https:"))

    @abstractmethod
    def _open(self, transport: Transport | None, *, verify: bool) -> None:
        """Open the HTTP client."""

    def _request(self, call: HttpCall[Any]) -> dict[str, Any]:
        """Return the arguments of ``httpx.Client.request``."""
        token = self._control_token if call.control else self._predict_token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        if call.content is not None:
            headers["content-type"] = "application/json"
        return {
            "method": call.method,
            "url": self.url + call.path,
            "content": call.content,
            "headers": headers,
            "timeout": max(self._timeout, call.seconds or 0.0),
        }

    def _duplex(self, content_type: str) -> Duplex:
        """Return a stream of records to the server.

        Raises:
            ServerError: the client has a ``transport``, which streams cannot use.
        """
        if self._has_transport:
            raise ServerError(
                "expected a client without a `transport`: a stream is sent while its answers are "
                "read, which httpx cannot do",
                where=self.url,
                hint="use `predict`, or a client without `transport`",
            )
        headers = {"content-type": content_type}
        if self._predict_token:
            headers["authorization"] = f"Bearer {self._predict_token}"
        return Duplex(self.url + "/predict", headers, self._timeout)

    def _give_up(self, error: GnomonError, deadline: float, seconds: float) -> None:
        if time.monotonic() >= deadline:
            raise NotReady(
                f"not ready after {seconds:g} seconds: {error.message}",
                where=self.url,
                hint=error.hint,
            )


def _token(text: str | None, name: str) -> str | None:
    """Return a token as a header may have it: without the end of a file's line.

    Raises:
        SettingsError: it has other characters than a token; the error does not contain it.
    """
    token = None if text is None else text.strip()
    if not token or (token.isascii() and token.isprintable()):
        return token
    raise SettingsError(
        "expected a token of printable ASCII characters, got others among its "
        f"{len(token)} characters",
        where=name,
        hint="take the text that `gnomon token create` printed, or the content of control.token",
    )


class Client(ClientDecisions, ClientQueries, _Connection[httpx.BaseTransport]):
    """A client for threads.

    Args:
        url: the server's base URL.
        control_token: for labels, shadow, promote, rollback, status and history: a token of
            :func:`gnomon.create_token`, or the server's own in ``<storage root>/control.token``.
        predict_token: for predictions, if the server requires one.
        by: with the server's own token, who makes the decisions, by default the server's slice;
            with another, on whose behalf its holder makes them.
        timeout: seconds for an answer to a prediction. Control calls may take longer.
        transport: an ``httpx`` transport, to call an ASGI or WSGI app or a socket directly.
    """

    def _open(self, transport: httpx.BaseTransport | None, *, verify: bool) -> None:
        self._http = httpx.Client(transport=transport, verify=verify)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @overload
    def predict(self, rows: Record, *, columns: Sequence[str] | None = None) -> Prediction: ...
    @overload
    def predict(self, rows: Rows, *, columns: Sequence[str] | None = None) -> Predictions: ...

    def predict(
        self, rows: Record | Rows, *, columns: Sequence[str] | None = None
    ) -> Prediction | Predictions:
        """Predict one record, or many.

        Args:
            rows: one record: a dict, or a row of a frame (a Series). Many: a list of dicts, a
                pandas or polars DataFrame, an Arrow table, or, without column names, a NumPy array
                or a list of lists.
            columns: the column names of rows without names. By default those of the live
                artifact's features, in its order, which costs another request.

        Raises:
            InvalidRequest: the rows violate the contract, or cannot be sent.
            GnomonError: any other error that the server answered.
            ServerError: no answer, or one that is not Gnomon's.
        """
        if columns is None and is_nameless(rows):
            columns = self._send(calls.feature_names())
        return self._send(calls.predict(rows, columns or ()))

    def predict_stream(
        self,
        rows: Any,
        *,
        columns: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> Iterator[StreamRow]:
        """Predict any number of rows in one request, in bounded memory.

        ``rows`` is read while rows are sent, and answers arrive while more are sent. Each row has
        one answer, in order. A row that is refused, or on which the model fails, has an ``error``;
        the other rows are answered.

        Args:
            rows: an iterable of records, frames, Arrow batches or lists of records, such as
                ``pandas.read_csv(path, chunksize=2048)`` or a ``pyarrow.RecordBatchReader``; the
                path of a Parquet file, or a ``pyarrow.parquet.ParquetFile``; or anything that
                :meth:`predict` takes.
            columns: as for :meth:`predict`.
            progress: called with the number of rows answered since the last call.

        Raises:
            InvalidRequest: the rows cannot be sent.
            GnomonError: the error with which the server ended the stream; rows before it are
                answered.
            ServerError: no answer, or one that ended early.

        >>> for row in client.predict_stream(pandas.read_csv("flights.csv", chunksize=2048)):
        ...     print(row.prediction)  # doctest: +SKIP
        """
        if columns is None and is_nameless(rows):
            columns = self._send(calls.feature_names())
        coder = RowStream(columns or (), progress, self.url)
        return self._stream(LINES, coder, rows)

    def predict_batches(
        self, batches: Any, *, progress: Progress | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Predict as :meth:`predict_stream` does, with Arrow in both directions.

        Args:
            batches: an iterable of Arrow batches, tables or frames with the same columns, such as
                a ``pyarrow.RecordBatchReader``; the path of a Parquet file; or one batch, table or
                frame.
            progress: called with the number of rows answered since the last call.

        Yields:
            A batch for each that was sent: ``request_id``, ``row``, ``artifact``, the outputs,
            ``error_code`` and ``error``.

        Raises:
            InvalidRequest, GnomonError, ServerError: as :meth:`predict_stream`.
        """
        from gnomon.service.client.arrow_calls import BatchStream

        return self._stream(ARROW, BatchStream(progress, self.url), batches)

    def label(self, labels: Record | Rows) -> AcceptedLabels:
        """Store what predictions turned out to be; they are on disk when this returns.

        If one of them is wrong, none is stored. Sending them again is harmless.

        Args:
            labels: one label (a dict) or many (a list of dicts, or a frame). Its keys are
                ``value`` and either ``request_id`` and ``row``, or ``entity`` and ``event_time``;
                and perhaps ``known_at``, ``source`` and ``correction``. See ``docs/labels.md``.

        Raises:
            InvalidRequest: a label is wrong; ``where`` says which, and in which field.
            GnomonError: any other error that the server answered.

        >>> answer = client.predict({"carrier": "UA", "distance": 2475})  # doctest: +SKIP
        >>> client.label({"request_id": answer.request_id, "value": "late"})  # doctest: +SKIP
        AcceptedLabels(accepted=1)
        """
        return self._send(calls.label(labels))

    def contract(self) -> Contract:
        """Return the contract of the live artifact."""
        return self._send(calls.contract())

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until live is loaded and verified.

        Raises:
            NotReady: live was not ready within ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self._send(calls.ready())
            except GnomonError as error:
                self._give_up(error, deadline, seconds)
            time.sleep(READY_POLL_SECONDS)

    def _stream(self, content_type: str, coder: StreamCoder[T], rows: Any) -> Iterator[T]:
        """Send rows and yield their answers, in a separate event loop: callers may run one."""
        duplex = self._duplex(content_type)
        with closing(BackgroundLoop()) as loop:
            try:
                loop.run(duplex.open())
                for chunk in chunked(rows):
                    yield from coder.answers(loop.run(duplex.send(coder.encode(chunk))))
                    if duplex.is_over:
                        break
                loop.run(duplex.end(coder.last()))
                while data := loop.run(duplex.receive()):
                    yield from coder.answers(data)
                coder.end()
            finally:
                loop.run(duplex.close())

    def _send(self, call: HttpCall[T]) -> T:
        with reaching(self.url):
            response = self._http.request(**self._request(call))
        return calls.read(call, response)


class AsyncClient(AsyncClientDecisions, AsyncClientQueries, _Connection[httpx.AsyncBaseTransport]):
    """A client for asyncio, with every method of :class:`Client` as a coroutine.

    Args:
        url, control_token, predict_token, by, timeout: as for :class:`Client`.
        transport: an ``httpx`` async transport.
    """

    def _open(self, transport: httpx.AsyncBaseTransport | None, *, verify: bool) -> None:
        self._http = httpx.AsyncClient(transport=transport, verify=verify)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @overload
    async def predict(
        self, rows: Record, *, columns: Sequence[str] | None = None
    ) -> Prediction: ...
    @overload
    async def predict(self, rows: Rows, *, columns: Sequence[str] | None = None) -> Predictions: ...

    async def predict(
        self, rows: Record | Rows, *, columns: Sequence[str] | None = None
    ) -> Prediction | Predictions:
        """Like :meth:`Client.predict`."""
        if columns is None and is_nameless(rows):
            columns = await self._send(calls.feature_names())
        return await self._send(calls.predict(rows, columns or ()))

    async def predict_stream(
        self,
        rows: Any,
        *,
        columns: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> AsyncIterator[StreamRow]:
        """Like :meth:`Client.predict_stream`; ``rows`` may also be an asynchronous iterator."""
        if columns is None and is_nameless(rows):
            columns = await self._send(calls.feature_names())
        coder = RowStream(columns or (), progress, self.url)
        async for row in self._stream(LINES, coder, rows):
            yield row

    async def predict_batches(
        self, batches: Any, *, progress: Progress | None = None
    ) -> AsyncIterator[pa.RecordBatch]:
        """Like :meth:`Client.predict_batches`."""
        from gnomon.service.client.arrow_calls import BatchStream

        async for batch in self._stream(ARROW, BatchStream(progress, self.url), batches):
            yield batch

    async def label(self, labels: Record | Rows) -> AcceptedLabels:
        """Like :meth:`Client.label`."""
        return await self._send(calls.label(labels))

    async def contract(self) -> Contract:
        """Like :meth:`Client.contract`."""
        return await self._send(calls.contract())

    async def wait_ready(self, seconds: float = 60.0) -> None:
        """Like :meth:`Client.wait_ready`."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return await self._send(calls.ready())
            except GnomonError as error:
                self._give_up(error, deadline, seconds)
            await asyncio.sleep(READY_POLL_SECONDS)

    async def _stream(
        self, content_type: str, coder: StreamCoder[T], rows: Any
    ) -> AsyncIterator[T]:
        """Send rows and yield their answers."""
        duplex = self._duplex(content_type)
        try:
            await duplex.open()
            async for chunk in chunked_async(rows):
                for answer in coder.answers(await duplex.send(coder.encode(chunk))):
                    yield answer
                if duplex.is_over:
                    break
            await duplex.end(coder.last())
            while data := await duplex.receive():
                for answer in coder.answers(data):
                    yield answer
            coder.end()
        finally:
            await duplex.close()

    async def _send(self, call: HttpCall[T]) -> T:
        with reaching(self.url):
            response = await self._http.request(**self._request(call))
        return calls.read(call, response)
