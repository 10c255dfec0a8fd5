"""A question about the log, answered in a separate process.

Reading the log takes seconds and hundreds of megabytes, some of which libraries never free. That is
too much for a gateway; when a separate process ends, all of it is freed.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from gnomon.api.log_query import LogQuery, reply_of
from gnomon.errors import WorkerError
from gnomon.settings import Settings
from gnomon.wire_errors import SentError
from gnomon.worker.spawn import child_environment

__all__ = ["SECONDS", "Answered", "FailedQuery", "QueryProcess"]

SECONDS = 170.0
"""The time limit; it is shorter than a client's time limit for a control call."""

T = TypeVar("T")


class Answered(msgspec.Struct, tag="answered", frozen=True):
    """The reply with the answer, as JSON."""

    answer: msgspec.Raw


class FailedQuery(SentError, tag="failed", frozen=True):
    """The reply if there is no answer, with the reason."""


_reply: msgspec.json.Decoder[Answered | FailedQuery] = msgspec.json.Decoder(Answered | FailedQuery)


class QueryProcess(Generic[T]):
    """One question, which another thread may end.

    Args:
        settings: settings with the storage root of the rollout and the log.
        model: the deployment's model name.
        policy: the policy file; the defaults without one.
        query: the question.
    """

    def __init__(
        self, settings: Settings, model: str, policy: Path | None, query: LogQuery[T]
    ) -> None:
        self._query = query
        self._arguments = [
            model,
            msgspec.json.encode(query).decode(),
            *([] if policy is None else [str(policy.absolute())]),
        ]
        self._environment = child_environment(settings)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ended = False

    def result(self, seconds: float = SECONDS) -> T:
        """Run the process, wait for it at most so many seconds, and return the answer.

        Raises:
            WorkerError: the process ended without an answer, was ended, or took too long.
            GnomonError: any error of what it does.
        """
        process = self._start()
        with process:
            try:
                printed, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                raise WorkerError(
                    f"{self._query.failed} within {seconds:g} s", hint=self._query.remedy
                ) from None
        try:
            reply = _reply.decode(printed)
        except msgspec.DecodeError:
            raise self._unfinished(process.returncode) from None
        if isinstance(reply, FailedQuery):
            raise reply.error()
        return msgspec.json.decode(reply.answer, type=reply_of(self._query))

    def end(self) -> None:
        """Kill the process, now or as soon as it would start."""
        with self._lock:
            self._is_ended = True
            if self._process is not None:
                self._process.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_ended:
                raise self._stopped()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "gnomon.api.query_answers", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env=self._environment,
            )
            return self._process

    def _unfinished(self, code: int) -> WorkerError:
        if self._is_ended:
            return self._stopped()
        return WorkerError(
            f"{self._query.failed}: the process for it ended with {code} before it finished",
            hint="its own message, if any, is on the server's standard error",
        )

    def _stopped(self) -> WorkerError:
        return WorkerError(f"{self._query.failed}, because the server stops")
