"""The live worker runs out of the memory it may use."""

from __future__ import annotations

import httpx
import pytest

from gnomon.testing import Server
from tests.faults.accounts import Accounts
from tests.load import load, scorers, until, wait_for_more

POISON = 777.0
FAULT = (
    "self.kept_ = getattr(self, 'kept_', []) + "
    f"[bytearray(1 << (30 if {POISON} in set(X['x']) else 25))]"
)
"""It leaks 32 MiB a batch; and for one value it needs a gigabyte."""
SETTINGS = {"GNOMON_WORKER_BYTES": "400000000"}

pytestmark = pytest.mark.slow


def test_a_leaking_worker_fails_no_request(shared: Server) -> None:
    """Whenever it runs out of memory, it is replaced and its batch is retried."""
    accounts, seen_alive = Accounts(shared), set()
    with load(shared, connections=4) as seen:

        def replaced() -> bool:
            seen_alive.update(process.pid for process in scorers(shared))
            return len(seen_alive) > 3

        until(replaced, "it is replaced, again and again", 60)
        wait_for_more(seen, 20, "the last replacement answers")
    since = accounts.check(seen)
    assert (seen.lost, seen.refused) == (0, [])
    assert since["answered"] == since["received"]


def test_a_row_that_needs_too_much_memory_fails_alone(shared: Server) -> None:
    """It gets 500 and the name of the setting; the requests of its batch are answered."""
    accounts = Accounts(shared)
    with load(shared, connections=4) as seen:
        wait_for_more(seen, 20, "answers")
        greedy = {"x": POISON, "id": "online"}
        answer = httpx.post(f"{shared.url}/predict", json=greedy, timeout=30)
        wait_for_more(seen, 20, "answers after it")
    since = accounts.check(seen)
    assert answer.status_code == 500
    assert "out of memory, see GNOMON_WORKER_BYTES" in answer.json()["error"]["message"]
    assert (seen.lost, seen.refused) == (0, [])
    assert since["failed:prediction_failed"] == since["failed"] == 1
