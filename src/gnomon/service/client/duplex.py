"""An HTTP request of a client that reads the answer while it still sends the body.

``httpx`` sends a complete body before it reads. A server that answers a stream as it arrives would
then wait for its client to read, and the client would wait for the server to read more.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httptools
import httpx

from gnomon.errors import DeadlineExceeded, ServerError
from gnomon.service.client.failures import failure_of

__all__ = ["BackgroundLoop", "Duplex"]

T = TypeVar("T")

READ_BYTES = 262_144
_PORTS = {"http": 80, "https": 443}


class Duplex:
    """A ``POST`` request with a chunked body.

    Args:
        url: the URL, with the path.
        headers: in addition to ``Host`` and those of the body's framing.
        timeout: the most seconds without any byte sent or received while one is expected.

    Attributes:
        status: the status of the answer; 0 until the answer has begun.
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float) -> None:
        self._url = url
        self._headers = headers
        self._timeout = timeout
        self._received_parts: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._complete = False
        self._ended: Exception | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._reading: asyncio.Task[None] | None = None
        self.status = 0

    async def open(self) -> None:
        """Connect, and send the head.

        Raises:
            ServerError: there is no server, or the URL is none.
            DeadlineExceeded: the server did not accept the connection in time.
        """
        parts = urlsplit(self._url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ServerError(
                "expected a URL that begins with http:// or https://",
                where=self._url,
                hint=f"write http://{self._url}",
            )
        secure = httpx.create_ssl_context() if parts.scheme == "https" else None
        try:
            port = parts.port or _PORTS[parts.scheme]
        except ValueError as error:
            raise ServerError(
                f"expected a URL such as http://127.0.0.1:3000: {error}", where=self._url
            ) from None
        try:
            async with asyncio.timeout(self._timeout):
                self._reader, self._writer = await asyncio.open_connection(
                    parts.hostname, port, ssl=secure, limit=READ_BYTES
                )
        except TimeoutError:
            raise self._too_late() from None
        except OSError as error:
            raise self._unreachable(error) from None
        head = {"host": parts.netloc.rpartition("@")[2], **self._headers}
        lines = [f"POST {parts.path or '/'} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in head.items()]
        lines += ["transfer-encoding: chunked", "", ""]
        self._writer.write("\r\n".join(lines).encode("latin-1"))
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def send(self, data: bytes) -> bytes:
        """Send a part of the body, and return the part of the answer received meanwhile.

        Raises:
            ServerError: the connection ended without an answer.
            DeadlineExceeded: nothing was sent or received in time.
        """
        if data:
            await self._write(b"%x\r\n%b\r\n" % (len(data), data))
        return b"" if self._is_refused else self._take()

    async def end(self, data: bytes = b"") -> None:
        """End the body, after ``data`` if there is any.

        Raises:
            ServerError, DeadlineExceeded: as :meth:`send`.
        """
        last = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        await self._write(last + b"0\r\n\r\n")

    async def receive(self) -> bytes:
        """Wait for the next part of the answer and return it; nothing at its end.

        Raises:
            GnomonError: the server's error, if it refused the request.
            ServerError: the connection ended before the answer did.
            DeadlineExceeded: nothing arrived in time.
        """
        while not self._complete and (self._is_refused or not self._received_parts):
            self._check()
            self._news.clear()
            try:
                async with asyncio.timeout(self._timeout):
                    await self._news.wait()
            except TimeoutError:
                raise self._too_late() from None
        if self._is_refused:
            raise failure_of(self._take(), self._url, self.status)
        return self._take()

    @property
    def is_over(self) -> bool:
        """Whether the rest of the body need not be sent: it is refused, or the answer has ended."""
        return self._complete or self._ended is not None or self._is_refused

    @property
    def _is_refused(self) -> bool:
        return self.status not in (0, 200)

    async def close(self) -> None:
        """Close the connection, even during a request."""
        if self._reading is None:
            return
        self._reading.cancel()
        self._writer.close()
        with contextlib.suppress(Exception):
            await self._writer.wait_closed()

    def on_headers_complete(self) -> None:
        """Handle the head of the answer; the parser calls this and the methods below."""
        status = self._parser.get_status_code()
        self.status = 0 if status < 200 else status

    def on_body(self, data: bytes) -> None:
        """Handle a part of the answer's body."""
        self._received_parts.append(data)

    def on_message_complete(self) -> None:
        """Handle the end of the answer, unless it was informational (1xx) and another follows."""
        self._complete = self.status > 0

    async def _write(self, data: bytes) -> None:
        if self.is_over:
            return
        self._writer.write(data)
        try:
            async with asyncio.timeout(self._timeout):
                await self._writer.drain()
        except TimeoutError:
            raise self._too_late() from None
        except OSError:
            # A server that refuses closes its side; its answer can still be read.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timeout):
                    await asyncio.shield(self._reading or asyncio.sleep(0))
            self._check()

    async def _read(self) -> None:
        try:
            while not self._complete:
                data = await self._reader.read(READ_BYTES)
                if not data:
                    raise ConnectionError("the server closed the connection")
                self._parser.feed_data(data)
                self._news.set()
        except (OSError, httptools.HttpParserError) as error:
            self._ended = error
        finally:
            self._news.set()

    def _take(self) -> bytes:
        data = b"".join(self._received_parts)
        self._received_parts.clear()
        return data

    def _check(self) -> None:
        if self._ended is not None and not self._complete:
            raise self._unreachable(self._ended)

    def _unreachable(self, error: Exception) -> ServerError:
        if self.status:
            return ServerError(
                f"the answer ended early: {error}",
                where=self._url,
                hint="the answers received are complete; send the remaining rows again",
            )
        return ServerError(
            f"no answer: {error}",
            where=self._url,
            hint="is the server running? `gnomon serve` starts it",
        )

    def _too_late(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"no answer in time: nothing was sent or received for {self._timeout:g} s",
            where=self._url,
            hint="give the client a longer `timeout`",
        )


class BackgroundLoop:
    """An event loop in a thread, for callers without one, or callers that block their loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in that loop, and return its result."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
