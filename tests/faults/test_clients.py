"""Clients that are slow, silent or gone, and ten thousand connections."""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import statistics
import time
from collections.abc import Iterator

import psutil
import pytest

from gnomon.log import InferenceLog
from gnomon.testing import Server
from tests.faults.accounts import Accounts
from tests.faults.clients import GOOD, ask, connect, error_of, read_to_end, request
from tests.faults.conftest import ServeIn
from tests.faults.shadows import Packed, install
from tests.load import Load, gateways, load, scorers, until, wait_for_more

FAULT = "time.sleep(0.3)"
"""Only for rows whose id begins with ``online``."""

CLIENT_SECONDS = 2.0
SETTINGS = {"GNOMON_CLIENT_SECONDS": str(CLIENT_SECONDS), "GNOMON_DEADLINE": "30"}


@pytest.fixture
def many(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many connections this process may hold, up to ten thousand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield min(10_000, hard - 1_000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def few_descriptors() -> Iterator[None]:
    """Processes started meanwhile may open a thousand files, unless they raise that themselves; it
    is what most systems give."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def open_files_limited(files: int, processes: list[psutil.Process]) -> Iterator[None]:
    """Running processes may have so many files open until the block ends."""
    limits = [resource.prlimit(process.pid, resource.RLIMIT_NOFILE) for process in processes]
    try:
        for process, (_, hard) in zip(processes, limits, strict=True):
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (files, hard))
        yield
    finally:
        for process, limit in zip(processes, limits, strict=True):
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limit)


def live_scorer(server: Server) -> psutil.Process:
    """The process that scores for what is live; what was live before may have one, too."""
    with server.client() as control:
        live = control.status().live
    assert live is not None
    path = live.artifact.replace(":", "/")
    [process] = [scorer for scorer in scorers(server) if path in " ".join(scorer.cmdline())]
    return process


@pytest.fixture(scope="module")
def patient(serve_in: ServeIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets clients be idle, started where few files may be open."""
    settings = {"GNOMON_CLIENT_SECONDS": "600", "GNOMON_SEGMENT_SECONDS": "0.2"}
    place = tmp_path_factory.mktemp("patient")
    with contextlib.ExitStack() as stack:
        with few_descriptors():
            server = stack.enter_context(serve_in(place, "pass", settings))
        yield server


@pytest.mark.slow
def test_ten_thousand_idle_connections_cost_little(
    many: int, patient: Server, packed_once: Packed
) -> None:
    """Live still answers, a killed worker is replaced, and another artifact is promoted; each
    connection needs little memory, and returns its descriptor.
    """
    new = f"toy:{install(patient, packed_once, 'pass').name}"
    accounts, [gateway] = Accounts(patient), gateways(patient)
    alone = statistics.median(ask(patient) for _ in range(20))
    descriptors, memory = gateway.num_fds(), gateway.memory_info().rss
    idle: list[socket.socket] = []
    with patient.client() as control:
        try:
            idle += [connect(patient) for _ in range(many)]
            until(lambda: gateway.num_fds() > many, "all are accepted")
            each = (gateway.memory_info().rss - memory) / many
            beside = statistics.median(ask(patient) for _ in range(20))
            with load(patient) as seen:
                live_scorer(patient).kill()
                wait_for_more(seen, 50, "a worker is replaced")
                control.promote(new, force=True, why="a test")
                until(lambda: new in seen.last, "the new worker answers")
        finally:
            for connection in idle:
                connection.close()
        until(lambda: gateway.num_fds() < descriptors + 50, "descriptors are given back")
        since = accounts.check(seen)
        control.rollback(why="a test")
    assert since["answered"] == since["received"] == len(seen.acknowledged) + 40
    assert each < 50_000
    assert beside < 10 * alone


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "taken"), [(600, 344), (128, 32)])
def test_connections_never_take_the_last_descriptor(
    patient: Server, limit: int, taken: int
) -> None:
    """Where few files may be open, reserved descriptors let the log continue and a worker be
    replaced; further connections get 503 with Retry-After.
    """
    accounts, scorer = Accounts(patient), live_scorer(patient)
    with open_files_limited(limit, gateways(patient)), load(patient) as seen:
        wait_for_more(seen, 50, "it answers")
        [gateway] = gateways(patient)
        idle = [connect(patient) for _ in range(limit)]
        try:
            until(lambda: gateway.num_fds() > taken + 20, "as many are accepted as may be")
            scorer.kill()
            wait_for_more(seen, 200, "a worker is replaced")
            last = read_to_end(idle[-1])
        finally:
            for connection in idle:
                connection.close()
        until(lambda: ask(patient) < 30, "there is room again")
    since = accounts.check(seen)
    assert b"retry-after: 1" in last
    assert error_of(last)[0] == 503
    assert error_of(last)[1]["code"] == "overloaded"
    assert "-" not in error_of(last)[1]["message"]
    assert seen.refused == []
    assert since["answered"] == since["received"]


def test_slow_and_unfinished_bodies_do_not_delay_other_clients(shared: Server) -> None:
    """Bodies that come byte by byte, or never end: other clients are answered; after the limit
    each gets 408, is logged as rejected, and is disconnected.
    """
    accounts = Accounts(shared)
    slow, silent = ([connect(shared) for _ in range(20)] for _ in range(2))
    started = time.monotonic()
    for connection in (*slow, *silent):
        connection.sendall(request(GOOD[:1], length=20_000))  # more than is sent while it lasts
    quickest = []
    while time.monotonic() < started + CLIENT_SECONDS / 2:
        for connection in slow:
            connection.sendall(b" ")
        quickest.append(ask(shared))
        time.sleep(0.02)
    answers = [read_to_end(connection) for connection in (*slow, *silent)]
    waited = time.monotonic() - started
    since = accounts.check(Load())
    assert CLIENT_SECONDS <= waited < 5 * CLIENT_SECONDS
    assert statistics.median(quickest) < CLIENT_SECONDS / 4
    for answer in answers:
        status, error = error_of(answer)
        assert (status, error["code"]) == (408, "request_timeout")
        assert error["request_id"] is not None
        assert b"connection: close" in answer
    assert since["rejected:request_timeout"] == 40
    assert since["answered"] == len(quickest)


def test_a_slow_head_is_cut_off(shared: Server) -> None:
    """A client that sends its headers slowly, partly or not at all is disconnected after the
    limit; without a request, nothing is counted.
    """
    accounts = Accounts(shared)
    head = request()[: -len(GOOD) - 2]
    slow, half, idle = connect(shared), connect(shared), connect(shared)
    started = time.monotonic()
    half.sendall(head[:30])
    sent = 0
    while not select.select([slow], [], [], 0.05)[0]:
        assert sent < len(head), "it could send all of its head"
        slow.sendall(head[sent : sent + 1])
        sent += 1
        ask(shared)
    assert time.monotonic() - started >= CLIENT_SECONDS
    assert error_of(read_to_end(slow))[1]["code"] == "request_timeout"
    assert error_of(read_to_end(half))[1]["code"] == "request_timeout"
    assert read_to_end(idle) == b""
    since = accounts.check(Load())
    assert since["answered"] == since["received"]


def test_a_client_that_never_reads_is_dropped(shared: Server) -> None:
    """Its answers fill the kernel's buffer, and it is disconnected when nothing has moved for
    the limit; no other client waits, and its requests are logged.
    """
    accounts, [gateway] = Accounts(shared), gateways(shared)
    rows = b'{"rows": [%s]}' % b",".join([GOOD] * 2_000)
    before = gateway.num_fds()
    deaf = connect(shared, receive_buffer=4096)
    deaf.settimeout(1.0)
    with pytest.raises(TimeoutError):
        deaf.sendall(request(rows) * 1_000)
    assert gateway.num_fds() > before
    quickest = [ask(shared) for _ in range(20)]
    until(lambda: gateway.num_fds() <= before, "it is dropped")
    since = accounts.check(Load())
    deaf.close()
    assert statistics.median(quickest) < 1.0
    assert since["answered"] == since["received"] > 20 + 2_000


def test_a_request_is_logged_if_its_client_disconnects_before_the_answer(shared: Server) -> None:
    """Its request is scored, logged and counted, and the server logs no error."""
    accounts = Accounts(shared)
    log_start = shared.log.stat().st_size
    body = b'{"x": 4.0, "id": "online and gone"}'
    for _ in range(20):
        with connect(shared) as leaving:
            leaving.sendall(request(body))
    with connect(shared) as leaving:
        leaving.sendall(request(body, length=len(body) + 1))
    ask(shared)
    log = InferenceLog(shared.settings, "toy")
    until(lambda: gone(log) == 20, "all of them are logged")
    since = accounts.check(Load())
    assert since["answered"] == since["received"] == 21
    output = shared.log.read_bytes()[log_start:].decode()
    assert "Traceback" not in output
    assert "ERROR" not in output


def gone(log: InferenceLog) -> int:
    """Logged answers to clients that did not wait for them."""
    rows = log.table(columns=["input_id"], outcome="answered")["input_id"].to_pylist()
    return sum(name == "online and gone" for name in rows)
