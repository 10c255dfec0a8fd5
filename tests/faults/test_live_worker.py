"""The live worker dies, hangs or is killed by a row; or the gateway dies."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import httpx
import psutil
import pytest

from gnomon.testing import Server
from tests.faults.accounts import Accounts
from tests.faults.gateways import holders
from tests.load import gateways, load, record, scorers, until, wait_for_more

FAULT = "time.sleep(0.05)"
DEADLINE = 8.0
"""A worker whose holder dies takes seconds to start; its requests wait that long."""
SETTINGS = {"GNOMON_DEADLINE": str(DEADLINE)}

POISON = -666.0
"""A value on which the toy's code dies of SIGSEGV."""

HANGS = -999.0
"""A value on which the toy's code sleeps for an hour."""


@pytest.mark.slow
@pytest.mark.parametrize("victims", [scorers, holders])
def test_a_worker_killed_while_it_holds_a_batch_fails_no_request(
    victims: Callable[[Server], list[psutil.Process]], shared: Server
) -> None:
    """SIGKILL of the scorer, or of the holder: the batch is retried, and no client sees an
    error.
    """
    accounts, before = Accounts(shared), restarts(shared)
    # Under this load the worker holds a batch all the time, but for a moment between two.
    with load(shared, connections=16, rate=math.inf) as seen:
        for _ in range(2):
            wait_for_more(seen, 50, "the worker answers")
            [victim] = victims(shared)
            victim.kill()
        wait_for_more(seen, 50, "the last replacement answers")
    since = accounts.check(seen)
    assert seen.refused == []
    assert seen.lost == 0
    assert since["answered"] == since["received"]
    assert restarts(shared) == before + 2


@pytest.mark.slow
def test_a_hung_worker_is_replaced(shared: Server) -> None:
    """The row that hangs and those in its batch get 504 at the deadline; the worker is killed,
    and another one answers later requests.
    """
    accounts = Accounts(shared)
    [hung] = scorers(shared)
    with load(shared) as seen:
        wait_for_more(seen, 50, "the worker answers")
        started = time.monotonic()
        answer = httpx.post(f"{shared.url}/predict", json={"x": HANGS, "id": "bad"}, timeout=30)
        waited = time.monotonic() - started
        wait_for_more(seen, 50, "the next are answered")
    [fresh] = scorers(shared)
    since = accounts.check(seen)
    assert answer.status_code == 504
    assert DEADLINE <= waited < 2 * DEADLINE
    assert fresh.pid != hung.pid
    assert {error["code"] for error in seen.errors.values()} <= {"deadline_exceeded"}
    assert since["timed_out:deadline_exceeded"] == len(seen.errors) + 1
    assert since["answered"] == len(seen.acknowledged)
    assert seen.lost == 0


@pytest.mark.slow
def test_only_the_poison_row_among_many_fails(shared: Server) -> None:
    """Rows that kill the worker, among many at once: each fails alone, all others are answered."""
    poison, accounts = {60, 61, 200}, Accounts(shared)
    with load(
        shared, connections=32, make=lambda number: record_with(number, POISON, poison)
    ) as seen:
        until(lambda: len(seen.errors) == len(poison), "the poison is found")
        wait_for_more(seen, 200, "the others are answered")
    since = accounts.check(seen)
    assert set(seen.errors) == poison
    assert {error["code"] for error in seen.errors.values()} == {"prediction_failed"}
    assert all("SIGSEGV" in error["message"] for error in seen.errors.values())
    assert seen.lost == 0
    assert since["failed:prediction_failed"] == len(poison)
    assert since["answered"] == len(seen.acknowledged)


@pytest.mark.slow
def test_a_killed_gateway_is_replaced_and_no_acknowledged_row_is_lost(shared: Server) -> None:
    """``kill -9`` of the gateway under load: the next one takes over its slice and answers, the
    old scorer ends, and every acknowledged request is in the log.
    """
    accounts = Accounts(shared)
    with load(shared) as seen:
        wait_for_more(seen, 50, "it answers")
        [gateway], left = gateways(shared), scorers(shared)
        gateway.kill()
        wait_for_more(seen, 50, "the next gateway answers")
    until(lambda: not [p for p in left if p.is_running()], "its scorer leaves", 5)
    accounts.check(seen, restarted=True)
    assert {error["code"] for error in seen.errors.values()} <= {"not_ready"}
    with shared.client() as control:
        assert control.status().slice.endswith("-1")  # type: ignore[union-attr]


def record_with(number: int, value: float, numbers: set[int]) -> dict[str, Any]:
    """A healthy record, but with this value for those numbers."""
    return {"x": value, "id": f"e{number}"} if number in numbers else record(number)


def restarts(server: Server) -> int:
    """How often the gateway says that it replaced a live worker."""
    metrics = httpx.get(f"{server.url}/metrics").text
    lines = [line for line in metrics.splitlines() if line.startswith("gnomon_restarts_total{")]
    return sum(int(float(line.split()[-1])) for line in lines if 'role="live"' in line)
