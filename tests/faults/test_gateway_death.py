"""A gateway is killed: clients are told at once to come again, and soon another answers."""

from __future__ import annotations

from pathlib import Path

import httpx
import psutil
import pytest

from gnomon.log import InferenceLog
from gnomon.shadow.accounts.balance import balance
from gnomon.testing import Server
from tests.faults.clients import GOOD, post
from tests.faults.conftest import ServeIn
from tests.load import everything, gateways, load, until, wait_for_more


def ask(server: Server) -> httpx.Response | None:
    """One request on a connection of its own; None if that was broken off."""
    try:
        return post(f"{server.url}/predict", content=GOOD)
    except httpx.TransportError:
        return None


def answers_until(server: Server, status: int) -> list[httpx.Response]:
    """What clients are answered, one after the other, to the first answer of that status."""
    found: list[httpx.Response] = []

    def is_there() -> bool:
        answer = ask(server)
        if answer is not None:
            found.append(answer)
        return bool(found) and found[-1].status_code == status

    until(is_there, f"an answer with {status}")
    return found


def kill_all_gateways(server: Server, slices: int = 1) -> None:
    """All gateways of a server are killed: whoever connects then gets 503 ``not_ready`` with
    ``Retry-After`` before there is another gateway, nobody is left waiting, and the next gateways
    answer."""
    until(lambda: len(gateways(server)) == slices, "all gateways run")
    until(lambda: len(standbys(server)) == slices, "each has its standby")
    left = standbys(server)
    for gateway in gateways(server):
        gateway.kill()
    [told] = answers_until(server, 503)[-1:]
    assert "the gateway has ended" in told.json()["error"]["message"]
    assert told.json()["error"]["code"] == "not_ready"
    assert told.headers["retry-after"] == "1"
    answers_until(server, 200)
    psutil.wait_procs(left, timeout=10)
    assert not [process for process in left if process.is_running()]


def stop_all(server: Server) -> None:
    """Tell a server to stop; nothing of it is left."""
    everyone = everything(server)
    assert server.stop() == 0
    _, alive = psutil.wait_procs(everyone, timeout=10)
    assert [process.cmdline() for process in alive] == []


@pytest.mark.slow
def test_clients_are_told_to_come_again(serve_in: ServeIn, tmp_path: Path) -> None:
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


def standbys(server: Server) -> list[psutil.Process]:
    """The processes that would answer if a gateway was killed."""
    found = []
    for process in everything(server):
        try:
            if any(word.endswith("standby_process.py") for word in process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.slow
def test_a_server_that_is_killed_leaves_nothing(serve_in: ServeIn, tmp_path: Path) -> None:
    """``kill -9`` of the process that starts gateways: nobody would start the gateway again, and
    it keeps the port. It stops in good order, and every process of the server with it."""
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
