"""The log's disk is full or read-only: requests are refused or served, as the settings say."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gnomon.log import InferenceLog
from gnomon.shadow.accounts.balance import balance
from gnomon.testing import Server
from tests.conftest import Serve
from tests.faults.accounts import Accounts
from tests.faults.clients import post
from tests.faults.conftest import ServeIn
from tests.faults.disks import Disk, Limited, Mounted
from tests.faults.shadows import Packed, install
from tests.load import gateways, load, until, wait_for_more
from tests.packing import Pack, times

SEGMENT_SECONDS = 2.0


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[Disk]:
    """A small disk until the block ends."""
    mounted = Mounted(place / "disk") if os.geteuid() == 0 else Limited(place / "disk")
    try:
        yield mounted
    finally:
        mounted.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A small disk of this test's own."""
    with small_disk(tmp_path) as mounted:
        yield mounted


@pytest.fixture(scope="module")
def served_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """A small disk with all files of the server that serves unlogged."""
    with small_disk(tmp_path_factory.mktemp("served")) as mounted:
        yield mounted


@pytest.fixture(scope="module")
def refusing_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """A small disk with all files of the server that refuses."""
    with small_disk(tmp_path_factory.mktemp("refusing")) as mounted:
        yield mounted


@pytest.fixture(scope="module")
def refusing(refusing_disk: Disk, serve_in: ServeIn) -> Iterator[Server]:
    """A server that refuses when its disk is full."""
    settings = {"GNOMON_SEGMENT_SECONDS": str(SEGMENT_SECONDS)}
    with serve_in(refusing_disk.path, "pass", settings) as running:
        yield running


@pytest.fixture(scope="module")
def server(served_disk: Disk, serve_in: ServeIn) -> Iterator[Server]:
    """A server that serves unlogged when its disk is full; it leaves nothing in shared memory."""
    memory = set(Path("/dev/shm").iterdir())
    settings = {"GNOMON_LOG_FAILURE": "serve", "GNOMON_SEGMENT_SECONDS": str(SEGMENT_SECONDS)}
    with serve_in(served_disk.path, "pass", settings) as running:
        yield running
    assert set(Path("/dev/shm").iterdir()) <= memory


def ask(server: Server, unknown: str | None = None) -> httpx.Response:
    """One good request, which may have a field that no contract knows."""
    body = {"x": 4.0, "id": "a"} if unknown is None else {"x": 4.0, "id": "a", unknown: 1}
    return post(f"{server.url}/predict", json=body)


def is_logged(server: Server, answer: httpx.Response) -> bool:
    """Whether the request of an answer is in the log."""
    table = InferenceLog(server.settings, "toy").table(columns=["request_id"])
    return answer.json()["request_id"] in table["request_id"].to_pylist()


@pytest.mark.slow
def test_a_full_disk_refuses_until_there_is_room(refusing_disk: Disk, refusing: Server) -> None:
    """With everything on one full disk and told to refuse, it answers 503 with the reason while
    nothing can be logged, and recovers by itself. Acknowledged rows are in the log, without torn
    ones between.
    """
    with refusing.client() as control:
        accounts, [gateway] = Accounts(refusing), gateways(refusing)
        with load(refusing) as seen:
            wait_for_more(seen, 50, "it answers")
            refusing_disk.fill(refusing)
            until(lambda: len(seen.refused) > 50, "it refuses")
            refused = [ask(refusing, unknown=f"field {n}") for n in range(100)]
            trouble = control.status().error
            refusing_disk.free(refusing)
            wait_for_more(seen, 50, "it goes on")
        since = accounts.check(seen)
        until(lambda: control.status().error is None, "the sealer has room too")
        assert gateways(refusing) == [gateway]
    for answer in refused:
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"]["code"] == "log_unavailable"
    assert trouble is not None
    assert "cannot append to the log" in trouble
    assert {error["code"] for error in seen.errors.values()} == {"log_unavailable"}
    assert seen.lost == 0
    assert since["failed:log_unavailable"] == len(seen.errors) + 100 == since["unlogged"]
    assert since["unlogged"] == since["unlogged:ENOSPC"] + since["unlogged:EFBIG"]


@pytest.mark.slow
def test_a_full_disk_serves_unlogged_and_counts(served_disk: Disk, server: Server) -> None:
    """Told to serve, it answers every request; unlogged ones are counted with the reason, and
    logging resumes when there is room.
    """
    with server.client() as control:
        accounts, before = Accounts(server), control.status().accounts.unlogged
        with load(server) as seen:
            wait_for_more(seen, 50, "it answers")
            served_disk.fill(server)
            until(lambda: control.status().accounts.unlogged > before + 50, "it answers unlogged")
            served_disk.free(server)
            wait_for_more(seen, 50, "it goes on")
        answer = ask(server)
        assert is_logged(server, answer)
        since = accounts.check(seen)
    assert seen.refused == []
    assert since["answered"] == since["received"] == len(seen.acknowledged) + 1
    assert since["unlogged"] == since["unlogged:ENOSPC"] + since["unlogged:EFBIG"] > 50


@pytest.mark.slow
def test_a_gateway_killed_on_a_full_disk_comes_back(served_disk: Disk, server: Server) -> None:
    """It starts although nothing can be written, answers as configured, and logs when it can."""
    before = ask(server)
    served_disk.fill(server)
    [gateway] = gateways(server)
    gateway.kill()
    with server.client() as client:
        until(lambda: gateways(server) not in ([], [gateway]), "another is started")
        client.wait_ready(60)
    served_disk.fill(server)  # What the killed one had taken for its metrics was given back.
    unlogged = ask(server, unknown="too long for what is left" * 1000)
    served_disk.free(server)
    until(lambda: is_logged(server, ask(server)), "it logs")
    assert is_logged(server, before)
    assert not is_logged(server, unlogged)
    books = balance(InferenceLog(server.settings, "toy"))
    assert unlogged.json()["prediction"] == 8.0
    assert books.balanced, books.explain()


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "status"), [("refuse", 503), ("serve", 200)])
def test_a_log_folder_read_only_from_the_start(
    policy: str, status: int, disk: Disk, pack: Pack, serve: Serve
) -> None:
    """The server starts, refuses or serves, and reports why; it opens its log when it can."""
    tag = pack(times(2))
    disk.protect()
    settings = {"GNOMON_SPOOL": str(disk.path), "GNOMON_LOG_FAILURE": policy}
    with serve(tag, **settings) as server, server.client() as control:
        answers = [ask(server) for _ in range(5)]
        before = control.status()
        disk.release()
        until(lambda: control.status().error is None, "the log is opened")
        after = ask(server)
        assert is_logged(server, after)
        books = control.status().accounts
        logged = InferenceLog(server.settings, "toy").table(columns=["request_id"])
    assert {answer.status_code for answer in answers} == {status}
    assert after.status_code == 200
    assert before.error is not None
    assert re.match("cannot (claim the spool|open the log): .*(Read-only|Permission)", before.error)
    assert before.ready
    assert books.received == 6
    assert books.unlogged == 5
    assert len(logged) == 1


@pytest.mark.slow
def test_a_log_folder_that_turns_read_only_is_written_on(
    refusing: Server, packed_once: Packed
) -> None:
    """The open segment can still be written, although no new one can be created; nothing is
    refused, and a rollback works.
    """
    new = f"toy:{install(refusing, packed_once, 'pass').name}"
    with refusing.client() as control:
        old = control.status().live.artifact  # type: ignore[union-attr]
        control.promote(new, force=True, why="a test")
        accounts = Accounts(refusing)
        [folder] = refusing.settings.spool_path.glob("toy/*/requests")
        with load(refusing) as seen:
            wait_for_more(seen, 50, "it answers")
            make_immutable(folder)
            try:
                segments = sorted(folder.iterdir())
                began = time.monotonic()
                until(lambda: time.monotonic() > began + 1.5 * SEGMENT_SECONDS, "it is time")
                wait_for_more(seen, 50, "it goes on")
                control.rollback(why="a test")
                until(lambda: old in seen.last, "the rollback")
                assert sorted(folder.iterdir()) == segments
            finally:
                make_mutable(folder)
            until(lambda: sorted(folder.iterdir()) != segments, "another segment")
        since = accounts.check(seen)
    assert seen.refused == []
    assert since["answered"] == since["received"]
    assert since["unlogged"] == 0


@pytest.mark.slow
def test_a_shadow_on_a_full_disk_catches_up(
    served_disk: Disk, server: Server, packed_once: Packed
) -> None:
    """Its records cannot be written, nor closed segments sealed, and status says so; once there
    is room, the shadow has one record of every row, and all is sealed.
    """
    with server.client() as control:
        tag = f"toy:{install(server, packed_once, 'pass').name}"
        control.start_shadow(tag)
        until(lambda: control.status().shadows[0].state == "running", "it runs", 120)
        accounts, before = Accounts(server), control.status().accounts.unlogged
        with load(server, connections=2, rate=50) as seen:
            wait_for_more(seen, 50, "it answers")
            served_disk.fill(server)
            until(lambda: control.status().accounts.unlogged > before + 50, "nothing is logged", 90)
            until(lambda: control.status().shadows[0].error is not None, "the shadow says so", 90)
            served_disk.free(server)
            wait_for_more(seen, 50, "it goes on", 90)
        until(lambda: control.status().shadows[0].lagging == 0, "it catches up", 120)
        until(lambda: control.status().error is None, "nothing is wrong any more", 90)
        until(lambda: control.status().shadows[0].error is None, "nor with the shadow", 90)
        accounts.check(seen)
        control.stop_shadow(tag)


def make_immutable(folder: Path) -> None:
    """Let no file be made in a folder, not even by root."""
    if os.geteuid() == 0:
        subprocess.run(["chattr", "+i", str(folder)], check=True)
    else:
        folder.chmod(0o555)


def make_mutable(folder: Path) -> None:
    """Take it back."""
    if os.geteuid() == 0:
        subprocess.run(["chattr", "-i", str(folder)], check=True)
    else:
        folder.chmod(0o755)
