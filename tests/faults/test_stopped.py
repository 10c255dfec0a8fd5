"""Processes that are stopped (SIGSTOP) for a while: what is reported, and that they recover."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from gnomon.log import REQUESTS, stream_folder
from gnomon.testing import Server
from tests.faults.accounts import Accounts
from tests.faults.clients import GOOD, post
from tests.load import Load, gateways, load, scorers, until, wait_for_more, workers

FAULT = "pass"
DEADLINE = 3.0
SETTINGS = {"GNOMON_DEADLINE": str(DEADLINE), "GNOMON_SEGMENT_SECONDS": "1"}


@pytest.fixture
def stopped() -> Iterator[list[psutil.Process]]:
    """Processes that a test stops; they go on when it is over."""
    processes: list[psutil.Process] = []
    yield processes
    for process in processes:
        if process.is_running():
            process.send_signal(signal.SIGCONT)


def stop(process: psutil.Process, stopped: list[psutil.Process]) -> None:
    """Stop a process for now."""
    process.send_signal(signal.SIGSTOP)
    stopped.append(process)


def sealer(server: Server) -> psutil.Process:
    """The process that seals, not one of its forks."""
    [gateway] = gateways(server)
    [process] = [p for p in gateway.children() if "gnomon.log.seal" in p.cmdline()]
    return process


def status_error(server: Server) -> str:
    """What ``gnomon status`` says is wrong."""
    with server.client() as control:
        return control.status().error or ""


@pytest.mark.slow
def test_a_stopped_sealer_is_reported_and_resumes(
    shared: Server, stopped: list[psutil.Process]
) -> None:
    """Nothing is sealed meanwhile, the status reports it as silent, and requests are answered;
    when it resumes, it seals what is waiting.
    """
    accounts = Accounts(shared)
    [folder] = shared.settings.spool_path.glob(f"toy/*/{REQUESTS}")
    assert folder == stream_folder(shared.settings, "toy", folder.parent.name, REQUESTS)
    with load(shared, connections=2, rate=50) as seen:
        wait_for_more(seen, 20, "it answers")
        stop(sealer(shared), stopped)
        until(lambda: "the sealer, process" in status_error(shared), "it is seen", 30)
        until(lambda: len(list(folder.glob("*.arrows"))) > 3, "nothing is sealed")
        stopped.pop().send_signal(signal.SIGCONT)
        until(lambda: status_error(shared) == "", "it reports again")
        wait_for_more(seen, 20, "it answers")
    until(lambda: len(list(folder.glob("*.arrows"))) <= 2, "what waits is sealed")
    assert seen.refused == []
    assert seen.lost == 0
    accounts.check(seen)


@pytest.mark.slow
def test_a_stopped_worker_is_replaced(shared: Server, stopped: list[psutil.Process]) -> None:
    """Its batch gets 504 at the deadline; another worker answers later requests."""
    accounts, [hung] = Accounts(shared), scorers(shared)
    stop(hung, stopped)
    first = post(f"{shared.url}/predict", content=GOOD)
    second = post(f"{shared.url}/predict", content=GOOD)
    assert (first.status_code, second.status_code) == (504, 200)
    assert not hung.is_running()
    assert accounts.check(Load())["timed_out:deadline_exceeded"] == 1


@pytest.mark.slow
def test_a_worker_whose_holder_is_stopped_too_is_replaced(
    shared: Server, stopped: list[psutil.Process]
) -> None:
    """The holder, which would replace it, is stopped as well: both are replaced without being
    resumed.
    """
    accounts = Accounts(shared)
    [scorer] = scorers(shared)
    [holder] = [process for process in workers(shared) if process.pid == scorer.ppid()]
    stop(holder, stopped)
    scorer.kill()
    first = post(f"{shared.url}/predict", content=GOOD)
    assert first.status_code == 504
    until(
        lambda: post(f"{shared.url}/predict", content=GOOD).status_code == 200,
        "another answers",
    )
    assert not holder.is_running()
    accounts.check(Load())


@pytest.mark.slow
def test_a_stopped_gateway_resumes(shared: Server, stopped: list[psutil.Process]) -> None:
    """Stopped for longer than the deadline: clients wait, and are answered or get 504; no
    acknowledged request is missing, and no process is replaced.
    """
    accounts, [gateway] = Accounts(shared), gateways(shared)
    before = {process.pid for process in workers(shared)}
    with load(shared, connections=4) as seen:
        wait_for_more(seen, 20, "it answers")
        stop(gateway, stopped)
        time.sleep(2 * DEADLINE)  # There is nothing to poll: it is to be stopped for so long.
        stopped.pop().send_signal(signal.SIGCONT)
        wait_for_more(seen, 50, "it goes on")
    assert {error["code"] for error in seen.errors.values()} <= {"deadline_exceeded"}
    assert seen.lost == 0
    assert {process.pid for process in workers(shared)} == before
    accounts.check(seen)


@pytest.mark.slow
def test_a_request_sent_to_a_stopped_gateway_is_answered(
    shared: Server, stopped: list[psutil.Process]
) -> None:
    """On an idle connection: when the gateway resumes, the keep-alive time has passed, but it
    reads what arrived before it closes any connection.
    """
    accounts, [gateway] = Accounts(shared), gateways(shared)
    with httpx.Client(base_url=shared.url, timeout=30) as client, ThreadPoolExecutor(1) as thread:
        assert client.post("/predict", content=GOOD).status_code == 200
        stop(gateway, stopped)
        answer = thread.submit(client.post, "/predict", content=GOOD)
        time.sleep(2 * DEADLINE)  # There is nothing to poll: it is to be stopped for so long.
        stopped.pop().send_signal(signal.SIGCONT)
        assert answer.result().status_code == 200
    accounts.check(Load())
