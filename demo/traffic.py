"""Flights as HTTP requests, in time order, a bounded number at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import gnomon

__all__ = ["AT_ONCE", "Sent", "send"]

AT_ONCE = 32
"""Requests in flight, as a rule. Each has a client of its own: httpx looks through all the
connections of a client at each request, and with dozens that costs more than a prediction."""


@dataclass
class Sent:
    """What became of the requests.

    Attributes:
        artifacts: answers by the artifact that gave them.
        failures: one sentence for each request without an answer.
        milliseconds: how long each answer took, as the client saw it.
        seconds: how long all of them took.
    """

    artifacts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def answered(self) -> int:
        """Return how many requests got an answer."""
        return self.artifacts.total()

    def within(self, share: float) -> float:
        """Return the milliseconds within which this share of the answers came."""
        ordered = sorted(self.milliseconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


async def send(
    url: str,
    rows: Iterable[dict[str, Any]],
    each: Callable[[], None],
    *,
    at_once: int = AT_ONCE,
    pause: float = 0.0,
) -> Sent:
    """Send every row as a request of its own and wait for the answers.

    Args:
        url: the server's.
        rows: in the order to send them; an iterator may feed two calls at a time.
        each: called when a request is done.
        at_once: requests in flight.
        pause: seconds between an answer and the request that follows it.
    """
    sent, queue = Sent(), iter(rows)

    async def lane() -> None:
        async with gnomon.AsyncClient(url) as client:
            for row in queue:
                began = time.perf_counter()
                try:
                    answer = await client.predict(row)
                except gnomon.GnomonError as error:
                    sent.failures.append(f"{row['flight_id']}: {error}")
                else:
                    sent.milliseconds.append((time.perf_counter() - began) * 1000)
                    sent.artifacts[answer.artifact] += 1
                each()
                await asyncio.sleep(pause)

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(at_once)))
    sent.seconds = time.perf_counter() - began
    return sent
