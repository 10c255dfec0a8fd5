"""A gateway is killed: clients get 503 with Retry-After at once, and soon another gateway
answers.
"""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from gnomon.log import InferenceLog
from gnomon.shadow.accounts.balance import balance
from tests.faults.conftest import ServeIn
from tests.faults.gateways import kill_all_gateways, standbys, stop_all
from tests.load import everything, load, until, wait_for_more


@pytest.mark.slow
def test_a_standby_answers_clients_of_a_killed_gateway_with_retry_after(
    serve_in: ServeIn, tmp_path: Path
) -> None:
    """The gateway is killed twice, and once more after its standby was, which is started again. A
    server whose standby has just been killed stops as it is told to. ``test_takeover.py`` does the
    same to a server of two slices."""
    with serve_in(tmp_path, "pass", {}) as server:
        for _ in range(2):
            kill_all_gateways(server)
        until(lambda: len(standbys(server)) == 1, "it has its standby")
        [first] = standbys(server)
        first.kill()
        until(lambda: standbys(server) not in ([], [first]), "another is started")
        kill_all_gateways(server)
        until(lambda: len(standbys(server)) == 1, "the next gateway has its own")
        standbys(server)[0].kill()
        stop_all(server)


@pytest.mark.slow
def test_a_killed_server_leaves_no_process(serve_in: ServeIn, tmp_path: Path) -> None:
    """``kill -9`` of the process that starts gateways: the gateway could not be restarted and
    would keep the port, so it stops cleanly with every process of the server.
    """
    with serve_in(tmp_path, "pass", {}) as server:
        with load(server, connections=2) as seen:
            wait_for_more(seen, 20, "it answers")
            left = everything(server)
            server.process.kill()
            _, alive = psutil.wait_procs(left, timeout=30)
        assert [process.cmdline() for process in alive] == []
        assert "the process that started this gateway has ended" in server.log.read_text()
        log = InferenceLog(server.settings, "toy")
        assert balance(log).balanced
        logged = log.table(columns=["request_id"], outcome="answered")["request_id"].to_pylist()
        assert seen.acknowledged.keys() <= set(logged)
