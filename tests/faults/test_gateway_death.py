"""A gateway is killed: clients are told at once to come again, and soon another answers."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import psutil
import pytest

from gnomon.log import InferenceLog
from gnomon.shadow.accounts.balance import balance
from gnomon.testing import Server
from tests.faults.clients import GOOD
from tests.faults.conftest import ServeIn
from tests.load import everything, gateways, load, until, wait_for_more


def ask(server: Server) -> httpx.Response | None:
    """One request on a connection of its own; None if that was broken off."""
    try:
        return httpx.post(f"{server.url}/predict", content=GOOD, timeout=30)
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


@pytest.mark.slow
@pytest.mark.parametrize("slices", [1, 2])
def test_clients_are_told_to_come_again(slices: int, serve_in: ServeIn, tmp_path: Path) -> None:
    """All gateways of a server are killed, twice: whoever connects then gets 503 ``not_ready``
    with ``Retry-After`` before there is another gateway, nobody is left waiting, and the next
    gateways answer. Nothing of it is left when the server has stopped."""
    with serve_in(tmp_path, "pass", {"GNOMON_SLICES": str(slices)}) as server:
        for _ in range(2):
            until(lambda: len(gateways(server)) == slices, "all gateways run")
            until(lambda: len(standbys(server)) == slices, "each has its standby")
            left = standbys(server)
            killed = gateways(server)
            for gateway in killed:
                gateway.kill()
            [told] = answers_until(server, 503)[-1:]
            assert "the gateway has ended" in told.json()["error"]["message"]
            assert told.json()["error"]["code"] == "not_ready"
            assert told.headers["retry-after"] == "1"
            answers_until(server, 200)
            psutil.wait_procs(left, timeout=10)
            assert not [process for process in left if process.is_running()]
        everyone = everything(server)
        assert server.stop() == 0
        _, alive = psutil.wait_procs(everyone, timeout=10)
        assert [process.cmdline() for process in alive] == []


@pytest.mark.slow
def test_a_standby_that_is_killed_is_started_again(serve_in: ServeIn, tmp_path: Path) -> None:
    """The next one answers when the gateway is killed. A server whose standby has just been killed
    stops as it is told to."""
    with serve_in(tmp_path, "pass", {}) as server:
        until(lambda: len(standbys(server)) == 1, "it has its standby")
        [first] = standbys(server)
        first.kill()
        until(lambda: standbys(server) not in ([], [first]), "another is started")
        for gateway in gateways(server):
            gateway.kill()
        [told] = answers_until(server, 503)[-1:]
        assert "the gateway has ended" in told.json()["error"]["message"]
        answers_until(server, 200)
        until(lambda: len(standbys(server)) == 1, "the next gateway has its own")
        everyone = everything(server)
        standbys(server)[0].kill()
        assert server.stop() == 0
        _, alive = psutil.wait_procs(everyone, timeout=10)
        assert [process.cmdline() for process in alive] == []


@pytest.mark.slow
def test_other_slices_answer_meanwhile(serve_in: ServeIn, tmp_path: Path) -> None:
    """One gateway of two is killed: the other takes all that comes, and nobody gets an error but
    those whose connection broke."""
    with serve_in(tmp_path, "pass", {"GNOMON_SLICES": "2"}) as server:
        until(lambda: len(gateways(server)) == 2, "both run")
        statuses = [client(server).status_code for _ in range(20)]
        until(lambda: {client(server).status_code for _ in range(20)} == {200}, "both are ready")
        with load(server, connections=8) as seen:
            wait_for_more(seen, 20, "they answer")
            first, _ = gateways(server)
            first.kill()
            until(lambda: len(gateways(server)) == 2, "another is started")
            wait_for_more(seen, 20, "the other answers")
    assert 200 in statuses
    assert {error["code"] for error in seen.errors.values()} <= {"not_ready"}
    assert not [e for e in seen.errors.values() if "has ended" in e["message"]]


@pytest.mark.slow
def test_nobody_answers_for_a_server_that_was_killed(serve_in: ServeIn, tmp_path: Path) -> None:
    """Server and gateway are killed: their port is free at once for another server."""
    with serve_in(tmp_path, "pass", {}) as server:
        until(lambda: len(standbys(server)) == 1, "it has its standby")
        left = standbys(server)
        for process in (psutil.Process(server.process.pid), *gateways(server)):
            process.kill()
        _, alive = psutil.wait_procs(left, timeout=5)
        assert alive == []
        limit = time.monotonic() + 5
        while time.monotonic() < limit:
            try:
                httpx.get(server.url, timeout=5)
            except httpx.ConnectError:
                break
        else:
            pytest.fail("something listens still")


def client(server: Server) -> httpx.Response:
    """One request that must be answered, with whatever status."""
    return httpx.post(f"{server.url}/predict", content=GOOD, timeout=30)


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
