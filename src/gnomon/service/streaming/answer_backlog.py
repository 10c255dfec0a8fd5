"""Answers of a stream that wait for a client which sends its complete body before it reads any.

Most HTTP libraries do so. If the server stopped reading until such a client takes its answers, both
sides would wait for each other. So answers that are not taken within a second go to a file, and the
server continues to read the body. For a client that only reads slowly the server waits.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import deque
from pathlib import Path

from gnomon.service.tasks import in_thread

__all__ = ["AnswerBacklog"]

MEMORY_BYTES = 1 << 20
"""The most bytes that wait in memory."""
MOST_BYTES = 1 << 30
"""The most bytes that wait in the file; beyond them the server waits for the client after all."""
READ_BYTES = 262_144
PATIENCE_SECONDS = 1.0
"""How long to wait for a client that does not read before the file is used."""


class AnswerBacklog:
    """A queue of bytes between one writer and one reader, in memory and then in a file.

    Args:
        folder: where the file is made. It has no name, so nothing remains of it after a crash.
        patience: see :data:`PATIENCE_SECONDS`.
        most: see :data:`MOST_BYTES`.
    """

    def __init__(
        self, folder: Path | None, patience: float = PATIENCE_SECONDS, most: int = MOST_BYTES
    ) -> None:
        self._folder = folder
        self._patience = patience
        self._most = most
        self._first: deque[bytes] = deque()
        self._in_memory = 0
        self._file: int | None = None
        self._lock = asyncio.Lock()
        self._begin = self._end = 0
        self._news, self._space = asyncio.Event(), asyncio.Event()
        self._closed = False

    @property
    def in_file(self) -> int:
        """Bytes that wait in the file."""
        return self._end - self._begin

    async def put(self, data: bytes) -> None:
        """Add bytes, waiting while neither memory nor the file has room."""
        if not await self._has_memory() and await self._write(data):
            return
        while self._in_memory >= MEMORY_BYTES or self.in_file:
            await self._wait_for_space()
        self._first.append(data)
        self._in_memory += len(data)
        self._news.set()

    def end(self) -> None:
        """Declare that no more bytes will be added."""
        self._closed = True
        self._news.set()

    async def get(self) -> bytes:
        """Return the next bytes, in order; none after the last once :meth:`end` was called."""
        while not self._first and not self.in_file:
            if self._closed:
                return b""
            self._news.clear()
            await self._news.wait()
        data = self._first.popleft() if self._first else await self._read()
        self._in_memory = sum(map(len, self._first))
        self._space.set()
        return data

    def close(self) -> None:
        """Close the file; no other call may be under way."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    async def _has_memory(self) -> bool:
        """Return whether memory has room, waiting for some time; false while the file is used."""
        if self._in_memory >= MEMORY_BYTES and not self.in_file:
            try:
                async with asyncio.timeout(self._patience):
                    while self._in_memory >= MEMORY_BYTES:
                        await self._wait_for_space()
            except TimeoutError:
                return False
        return self._in_memory < MEMORY_BYTES and not self.in_file

    async def _wait_for_space(self) -> None:
        self._space.clear()
        await self._space.wait()

    async def _write(self, data: bytes) -> bool:
        """Add to the file, waiting while it is full; return false if the disk refuses."""
        while self.in_file and self.in_file + len(data) > self._most:
            await self._wait_for_space()
        try:
            async with self._lock:
                await in_thread(self._append, data)
        except OSError:
            return False
        self._news.set()
        return True

    def _append(self, data: bytes) -> None:
        if self._file is None:
            with tempfile.TemporaryFile(dir=self._folder, buffering=0) as file:
                self._file = os.dup(file.fileno())
        written = 0
        while written < len(data):
            written += os.pwrite(self._file, memoryview(data)[written:], self._end + written)
        self._end += written

    async def _read(self) -> bytes:
        async with self._lock:
            return await in_thread(self._take)

    def _take(self) -> bytes:
        assert self._file is not None
        data = os.pread(self._file, min(READ_BYTES, self.in_file), self._begin)
        self._begin += len(data)
        if self._begin == self._end:
            os.ftruncate(self._file, 0)
            self._begin = self._end = 0
        return data
