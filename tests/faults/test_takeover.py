"""A gateway is killed: the next one serves with the same live worker, and no worker is orphaned."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from gnomon.testing import Server
from tests.faults.accounts import Accounts
from tests.faults.test_gateway_death import answers_until, standbys
from tests.faults.test_live_worker import holders
from tests.load import gateways, load, scorers, until, wait_for_more

MISCHIEF = "pass"
SETTINGS: dict[str, str] = {}


@pytest.fixture(autouse=True)
def steady(request: pytest.FixtureRequest) -> None:
    """Each test of the shared server begins with one that has its gateway, worker and standby."""
    if "shared" in request.fixturenames:
        settle(request.getfixturevalue("shared"))


def settle(server: Server) -> None:
    """Until the live worker would outlive the gateway: it is offered within a tick of serving."""
    answers_until(server, 200)
    until(lambda: len(standbys(server)) == 1, "the gateway has its standby")
    until(lambda: is_tethered(holders(server)), "its worker may outlive it")


def is_tethered(found: list[psutil.Process]) -> bool:
    """Whether the kernel kills these holders with their last client, not with their parent."""
    asynchronous = 0o20000
    return bool(found) and all(
        any(
            int(line.split()[1], 8) & asynchronous
            for info in Path(f"/proc/{holder.pid}/fdinfo").iterdir()
            for line in info.read_text().splitlines()
            if line.startswith("flags:")
        )
        for holder in found
    )


def kill(*processes: psutil.Process) -> None:
    """SIGKILL, one after the other, then wait: none of them is seen again."""
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=10)


def until_ended(processes: list[psutil.Process], seconds: float = 5.0) -> None:
    """Until they are gone, and not just zombies that nobody waits for."""
    until(lambda: not [p for p in processes if p.is_running()], "they end", seconds)


@pytest.mark.slow
def test_the_same_worker_serves_again(shared: Server) -> None:
    """``kill -9`` of the gateway under load, twice in a row: the worker process that had loaded
    the artifact answers again, with a fresh scorer, and every acknowledged request is in the log
    once."""
    accounts = Accounts(shared)
    [holder], [scorer] = holders(shared), scorers(shared)
    with load(shared) as seen:
        for _ in range(2):
            wait_for_more(seen, 50, "it answers")
            until(lambda: is_tethered(holders(shared)), "its worker may outlive it")
            kill(*gateways(shared))
        wait_for_more(seen, 50, "the last gateway answers")
    accounts.check(seen, restarted=True)
    assert holders(shared) == [holder]
    assert scorers(shared) != [scorer]
    assert {error["code"] for error in seen.errors.values()} <= {"not_ready"}
