"""Questions about the log that clients ask a running slice: one is answered at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, TypeVar

from gnomon.api.log_query import LogQuery
from gnomon.api.query_process import QueryProcess
from gnomon.errors import Busy
from gnomon.service.tasks import OwnThreads
from gnomon.settings import Settings

__all__ = ["WAITING", "LogQueries"]

T = TypeVar("T")

WAITING = 3
"""How many questions may wait for the one that is being answered. Each takes seconds, so that a
client would not wait for more, and asks again."""


class LogQueries:
    """Answers questions in another process, which takes the processor and memory of one.

    Args:
        settings: have the storage root with the rollout and the log.
        model: the deployment's model name.
        policy: the policy file, read at each question; the defaults without one.
    """

    def __init__(self, settings: Settings, model: str, policy: Path | None) -> None:
        self._settings = settings
        self._model = model
        self._policy = policy
        self._turn = asyncio.Lock()
        self._asked: set[LogQuery[Any]] = set()
        self._threads = OwnThreads("answer questions", 1)
        self._process: QueryProcess[Any] | None = None
        self._is_ended = False

    def close(self) -> None:
        """End the threads."""
        self._threads.close()

    async def ask(self, query: LogQuery[T]) -> T:
        """Return the answer to a question.

        Raises:
            Busy: the same question is being answered, or too many wait.
            WorkerError: its process did not finish, or the server stops.
            GnomonError: any error of the question.
        """
        if query in self._asked:
            raise Busy("the same is being computed for another request")
        if len(self._asked) > WAITING:
            raise Busy(f"{len(self._asked)} requests that read the log are not answered yet")
        self._asked.add(query)
        try:
            async with self._turn:
                return await self._answer(query)
        finally:
            self._asked.discard(query)

    def end(self) -> None:
        """End the question that is being answered, and those that wait, as the server stops."""
        self._is_ended = True
        if self._process is not None:
            self._process.end()

    async def _answer(self, query: LogQuery[T]) -> T:
        process = QueryProcess(self._settings, self._model, self._policy, query)
        self._process = process
        if self._is_ended:
            process.end()
        try:
            return await self._threads.run(process.result)
        finally:
            self._process = None
