"""A gateway is killed: the next one serves with the same live worker, and no worker is orphaned."""

from __future__ import annotations

import resource
import signal
import time
from pathlib import Path

import psutil
import pytest

from gnomon import rollout
from gnomon.testing import Server
from tests.faults.accounts import Accounts
from tests.faults.conftest import ServeIn
from tests.faults.gateways import answers_until, holders, kill_all_gateways, standbys, stop_all
from tests.faults.shadows import Packed
from tests.load import everything, gateways, load, scorers, until, wait_for_more, workers
from tests.packing import SCRIPT, install, times, write_service

pytestmark = pytest.mark.slow

WORKER_BYTES = 1_000_000_000
"""What a worker may use once that is set."""

FAULT = "pass"
SETTINGS: dict[str, str] = {}


@pytest.fixture(autouse=True)
def steady(request: pytest.FixtureRequest) -> None:
    """A test of the shared server begins when that has its gateway, worker and standby."""
    if "shared" in request.fixturenames:
        wait_until_settled(request.getfixturevalue("shared"))


def wait_until_settled(server: Server, slices: int = 1) -> None:
    """Wait until every gateway serves, and every live worker would outlive its gateway."""
    answers_until(server, 200)
    until(lambda: len(standbys(server)) == slices, "each gateway has its standby")
    until(
        lambda: len(holders(server)) == slices and all(map(is_tethered, holders(server))),
        "the workers may outlive them",
    )


def is_tethered(holder: psutil.Process) -> bool:
    """Whether the kernel signals this process when the other end of a socket closes."""
    asynchronous = 0o20000  # O_ASYNC
    for info in Path(f"/proc/{holder.pid}/fdinfo").iterdir():
        fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        if int(fields["flags"], 8) & asynchronous:
            return True
    return False


def kill(*processes: psutil.Process) -> None:
    """SIGKILL to all of them at once."""
    for process in processes:
        process.kill()


def until_ended(processes: list[psutil.Process], seconds: float = 20.0) -> None:
    """Wait until they are gone, and are not just zombies that nobody waits for.

    The first process of a container may look only every two seconds for those it has to wait for.
    """
    try:
        until(lambda: not [p for p in processes if p.is_running()], "they end", seconds)
    except AssertionError as error:
        left = [f"{p} of {p.parent()}" for p in processes if p.is_running()]
        raise AssertionError(f"{error}: {left}") from None


def test_the_same_worker_serves_again(shared: Server) -> None:
    """``kill -9`` of the gateway under load, twice in a row: the worker with the loaded artifact
    answers again with a fresh scorer, and every acknowledged request is in the log once.
    """
    accounts = Accounts(shared)
    [holder], [scorer] = holders(shared), scorers(shared)
    with load(shared) as seen:
        for _ in range(2):
            wait_for_more(seen, 50, "it answers")
            kill(*gateways(shared))
        wait_for_more(seen, 50, "the last gateway answers")
    accounts.check(seen, restarted=True)
    assert holders(shared) == [holder]
    assert scorers(shared) != [scorer]
    assert {error["code"] for error in seen.errors.values()} <= {"not_ready"}


def test_a_gateway_killed_during_takeover_is_replaced(shared: Server) -> None:
    """The next gateway is also killed, after it has asked for a fresh scorer: the one after it
    takes over the same worker.
    """
    [holder], [before] = holders(shared), scorers(shared)
    [first] = gateways(shared)
    kill(first)
    until(lambda: scorers(shared) not in ([], [before]), "one is forked as the last read the end")
    [waiting] = scorers(shared)
    until(lambda: waiting not in scorers(shared), "the next gateway asks for another")
    [second] = gateways(shared)
    kill(second)
    answers_until(shared, 200)
    assert gateways(shared) not in ([first], [second])
    assert holders(shared) == [holder]


def test_the_worker_is_taken_over_without_a_standby(shared: Server) -> None:
    """The standby is killed with the gateway: the worker is taken over anyway."""
    [holder], [gateway] = holders(shared), gateways(shared)
    kill(*standbys(shared), gateway)
    answers_until(shared, 200)
    assert holders(shared) == [holder]
    assert gateways(shared) != [gateway]


def test_a_worker_killed_with_its_gateway_is_loaded_again(shared: Server) -> None:
    """Gateway and worker are killed together: the next gateway loads the artifact."""
    left = workers(shared)
    kill(*gateways(shared), *holders(shared))
    answers_until(shared, 200)
    until_ended(left)
    assert len(holders(shared)) == 1


def test_a_stopped_worker_is_not_taken_over(shared: Server) -> None:
    """A worker that is stopped (SIGSTOP) does not answer: it is killed, and another one loads."""
    left = workers(shared)
    for process in left:
        process.send_signal(signal.SIGSTOP)
    kill(*gateways(shared))
    answers_until(shared, 200)
    until_ended(left)
    assert len(holders(shared)) == 1


def test_a_worker_of_an_artifact_that_is_no_longer_live_is_ended(
    shared: Server, packed_once: Packed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A promotion is recorded while there is no gateway: the next one loads the new live
    artifact, and the old worker ends.
    """
    home = Path(shared.settings.root).parent / "bentoml"
    monkeypatch.setenv("BENTOML_HOME", str(home))
    tag = install(packed_once(times(5), "toy", SCRIPT), home)
    left, arbiter = workers(shared), psutil.Process(shared.process.pid)
    arbiter.suspend()  # It starts no gateway meanwhile.
    kill(*gateways(shared))
    rollout.promote(shared.settings, "toy", tag, force=True, why="while it is down")
    arbiter.resume()
    answers_until(shared, 200)
    until_ended(left)
    with shared.client() as control:
        assert control.predict({"x": 1.0, "id": "a"}).artifact == tag


def test_a_worker_with_other_settings_is_started_anew(shared: Server) -> None:
    """The deployment's settings have changed when the gateway is restarted: a new worker is
    started with them. Not with other threads, because every later worker would be a new
    interpreter.
    """
    left = workers(shared)
    deployment = Path(shared.settings.root).parent / "deployment"
    write_service(deployment, f'"toy", worker_bytes={WORKER_BYTES}')
    kill(*gateways(shared))
    answers_until(shared, 200)
    until_ended(left)
    [scorer] = scorers(shared)
    limit, _ = resource.prlimit(scorer.pid, resource.RLIMIT_DATA)
    assert WORKER_BYTES <= limit < 2 * WORKER_BYTES  # with what it had reserved before


def test_each_gateway_of_two_slices_takes_over_one_worker(
    serve_in: ServeIn, tmp_path: Path
) -> None:
    """In what BentoML takes for its container one gateway of two is killed: the other takes all
    that comes, and nobody gets an error but those whose connection broke. Then both are killed:
    clients are told to come again, and each worker is taken over by one. Told to stop, the
    server leaves no process."""
    container = {"GNOMON_SLICES": "2", "BENTOML_CONTAINERIZED": "true"}
    with serve_in(tmp_path, "pass", container) as server:
        wait_until_settled(server, slices=2)
        before = {holder.pid for holder in holders(server)}
        with load(server) as seen:
            wait_for_more(seen, 20, "they answer")
            first, _ = gateways(server)
            kill(first)
            until_ended([first])
            until(lambda: len(gateways(server)) == 2, "another is started")
            wait_for_more(seen, 20, "the other answers")
        assert {error["code"] for error in seen.errors.values()} <= {"not_ready"}
        assert not [e for e in seen.errors.values() if "has ended" in e["message"]]
        wait_until_settled(server, slices=2)
        kill_all_gateways(server, slices=2)
        wait_until_settled(server, slices=2)
        assert {holder.pid for holder in holders(server)} == before
        stop_all(server)


def test_no_worker_outlives_its_server(serve_in: ServeIn, tmp_path: Path) -> None:
    """All processes but the worker are killed, after it was taken over once: it ends within a
    second, although it is stopped (SIGSTOP).
    """
    with serve_in(tmp_path, "pass", {}) as server:
        wait_until_settled(server)
        kill(*gateways(server))
        wait_until_settled(server)
        left = workers(server)
        for process in left:
            process.send_signal(signal.SIGSTOP)
        killed = [process for process in everything(server) if process not in left]
        kill(*killed)
        psutil.wait_procs(killed, timeout=5)
        since = time.monotonic()
        _, alive = psutil.wait_procs(left, timeout=5)
        assert [process.cmdline() for process in alive] == []
        assert time.monotonic() - since < 1.0
