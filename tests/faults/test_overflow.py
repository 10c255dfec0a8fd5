"""More requests than the queue holds."""

from __future__ import annotations

import httpx
import pytest

from gnomon.testing import Server
from tests.faults.accounts import Accounts
from tests.load import load, until

FAULT = "time.sleep(0.2)"
SETTINGS = {"GNOMON_QUEUE_ROWS": "4", "GNOMON_BATCH_ROWS": "4"}


@pytest.mark.slow
def test_a_full_queue_sheds_and_drains(shared: Server) -> None:
    """Beyond the limit requests get 503 with Retry-After at once and are counted as shed, also
    in the log; with fewer requests every one is answered again.
    """
    accounts = Accounts(shared)
    with load(shared, connections=24) as seen:
        until(lambda: len(seen.refused) > 20, "it sheds")
    body = {"x": 4.0, "id": "online"}
    after = [httpx.post(f"{shared.url}/predict", json=body, timeout=30) for _ in range(3)]
    since = accounts.check(seen)
    assert set(seen.refused) == {503}
    assert {error["code"] for error in seen.errors.values()} == {"overloaded"}
    assert {error["retry-after"] for error in seen.errors.values()} == {"1"}
    assert seen.lost == 0
    assert [answer.json()["prediction"] for answer in after] == [8.0] * 3
    assert since["shed"] == since["shed:overloaded"] == len(seen.refused)
    assert since["answered"] == len(seen.acknowledged) + 3
