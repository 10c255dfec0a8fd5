"""The log's disk fails under a running server, where every answer waits for a sync."""

from __future__ import annotations

import httpx
import pytest

from gnomon.log import InferenceLog
from gnomon.shadow.accounts.balance import balance
from tests.conftest import Serve
from tests.faults.power import Power, skip_reason
from tests.load import load, until, wait_for_more
from tests.packing import Pack, times

REASON = skip_reason()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]


def test_every_answer_is_on_disk_before_it_is_sent(pack: Pack, serve: Serve, power: Power) -> None:
    """With GNOMON_FSYNC_SECONDS=0 each request is refused with the reason in the status.

    After a restart, every answer that was sent is in the log.
    """
    tag = pack(times(2))
    settings = {"GNOMON_SPOOL": str(power.path / "spool"), "GNOMON_FSYNC_SECONDS": "0"}
    with serve(tag, **settings) as server, server.client() as control:
        with load(server, connections=4) as seen:
            wait_for_more(seen, 50, "it answers")
            power.cut()
            until(lambda: len(seen.refused) > 20, "it refuses")
            acknowledged = len(seen.acknowledged)
            until(lambda: len(seen.refused) > 40, "it refuses for good")
            assert len(seen.acknowledged) - acknowledged <= 4  # What was on its way.
        answer = httpx.post(f"{server.url}/predict", json={"x": 4.0, "id": "a"}, timeout=30)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "log_unavailable")
        error = control.status().error
        assert error is not None
        assert "log" in error
        place = server.settings
    power.close()
    power.restore()
    log = InferenceLog(place, "toy")
    logged = log.table(columns=["request_id"])["request_id"].to_pylist()
    assert not set(seen.acknowledged) - set(logged)
    assert {error["code"] for error in seen.errors.values()} == {"log_unavailable"}
    assert balance(log).balanced
