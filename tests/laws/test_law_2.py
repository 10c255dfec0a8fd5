"""Law 2: acknowledged means logged."""

from __future__ import annotations

import random
from collections import Counter

import psutil
import pytest

from gnomon.log import InferenceLog
from gnomon.shadow.accounts.balance import balance
from tests.conftest import Serve
from tests.load import gateways, load, until, workers
from tests.packing import Pack, times

KILLS = 10

BUSY = "time.sleep(0.05)"
"""In live's code: the worker holds a batch at almost any time, and leaves the processor to what is
started again. Each kill meets requests that are under way."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_kill_loses_an_acknowledged_request(pack: Pack, serve: Serve) -> None:
    """``kill -9`` of gateway or worker, ten times under load, five of them with a shadow: every
    acknowledged request id is in the log exactly once, and the accounts balance each time.
    """
    live, shadow = pack(times(2, BUSY)), pack(times(2, "x = 1"))
    dice = random.Random(7)
    with serve(live, GNOMON_SEGMENT_SECONDS="2") as server, server.client() as control:
        log = InferenceLog(server.settings, "toy")
        with load(server) as seen:
            for kill in range(KILLS):
                enough = len(seen.acknowledged) + dice.randrange(10, 60)
                until(lambda n=enough: len(seen.acknowledged) > n, "the server answers again", 90)
                if kill == KILLS // 2:
                    control.start_shadow(shadow)
                victims = gateways(server) if kill % 2 else workers(server)
                try:
                    dice.choice(victims).kill()
                except (IndexError, psutil.NoSuchProcess):
                    continue
                accounts = balance(log)
                assert accounts.balanced, accounts.explain()
        control.wait_ready(90)
        table = log.table(columns=["request_id", "row", "outcome"], role="live")
        answered = Counter(
            request
            for request, outcome in zip(
                table["request_id"].to_pylist(), table["outcome"].to_pylist(), strict=True
            )
            if outcome == "answered"
        )
        assert len(seen.acknowledged) > 200
        assert set(answered.values()) == {1}
        assert not set(seen.acknowledged) - set(answered)
        until(lambda: control.status().shadows[0].lagging == 0, "the shadow catches up", 120)
        accounts = balance(log)
    assert accounts.balanced, accounts.explain()
