"""Answers that their client has not read yet wait in a file."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from gnomon.service.streaming.answer_backlog import MEMORY_BYTES, AnswerBacklog

PARTS = [bytes([n % 251]) * (n * 997 % 70_000 + 1) for n in range(200)]


async def all_of(backlog: AnswerBacklog, pause: float = 0.0) -> bytes:
    """What comes out, to the end."""
    content = bytearray()
    while data := await backlog.get():
        content += data
        if random.random() < 0.2:
            await asyncio.sleep(pause)
    return bytes(content)


def test_answers_are_returned_in_order(tmp_path: Path) -> None:
    """Whether the reader begins late, early, or is slow; through memory and file."""

    async def run(late: float, pause: float) -> bytes:
        backlog = AnswerBacklog(tmp_path, patience=0.01)
        try:

            async def fill() -> None:
                for part in PARTS:
                    await backlog.put(part)
                backlog.end()

            filling = asyncio.create_task(fill())
            await asyncio.sleep(late)
            content = await all_of(backlog, pause)
            await filling
            return content
        finally:
            backlog.close()

    for late, pause in ((0.0, 0.0), (0.3, 0.0), (0.1, 0.005), (0.0, 0.02)):
        assert asyncio.run(run(late, pause)) == b"".join(PARTS)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("there", [True, False], ids=["full", "no folder"])
def test_a_file_without_room_is_waited_for(tmp_path: Path, there: bool) -> None:
    """A disk that refuses is waited for too: nothing is lost, and memory stays bounded."""

    async def run() -> bytes:
        folder = tmp_path if there else tmp_path / "none"
        backlog = AnswerBacklog(folder, patience=0.01, most=200_000)

        async def fill() -> None:
            for part in PARTS:
                await backlog.put(part)
            backlog.end()

        filling = asyncio.create_task(fill())
        await asyncio.sleep(0.3)
        assert not filling.done()
        assert backlog.in_file <= 200_000
        content = await all_of(backlog)
        await filling
        backlog.close()
        return content

    assert asyncio.run(run()) == b"".join(PARTS)
    assert sum(map(len, PARTS)) > 2 * MEMORY_BYTES


def test_the_file_is_used_until_all_of_it_was_read(tmp_path: Path) -> None:
    """Bytes that come while it is read follow in it, so their writer need not wait for the reader:
    a client that sends on before it reads would wait for ever.
    """

    async def run() -> bytes:
        backlog = AnswerBacklog(tmp_path, patience=0.01)
        try:
            first = bytes(MEMORY_BYTES)
            for part in (first, b"in the file"):
                await backlog.put(part)
            assert await backlog.get() == first
            async with asyncio.timeout(30):
                await backlog.put(b", and after it")
            backlog.end()
            return await all_of(backlog)
        finally:
            backlog.close()

    assert asyncio.run(run()) == b"in the file, and after it"
