"""SIGTERM: accepted requests are answered, nothing is left, and it takes a short time."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from gnomon.errors import WorkerError
from gnomon.log import InferenceLog
from gnomon.rollout.history import History
from gnomon.service.client.clients import Client
from gnomon.shadow.accounts.balance import balance
from gnomon.storage import Storage
from gnomon.testing import Server
from tests.conftest import Serve
from tests.faults.clients import GOOD, connect, read_to_end, request
from tests.faults.gateways import refuses
from tests.load import everything, gateways, load, scorers, until, wait_for_more, workers
from tests.packing import SLOW_TO_LOAD, Pack, times

DEADLINE = 10.0
"""Long enough to begin all that is to be unfinished when a server on a busy machine stops."""
GRACE = DEADLINE + 15.0
"""As ``docs/faults.md`` promises."""


@contextlib.contextmanager
def terminated(server: Server, within: float = GRACE) -> Iterator[None]:
    """Send SIGTERM; after the block the server has ended well, in time, and left no process."""
    processes = everything(server)
    server.process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    yield
    assert server.process.wait(within) == 0
    assert time.monotonic() - started < within
    until(lambda: not [p for p in processes if is_alive(p)], "every process has ended", 1)
    accounts = balance(InferenceLog(server.settings, "toy"))
    assert accounts.balanced, accounts.explain()


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; one that nobody has waited for yet does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_idle(client: Client) -> bool:
    """Whether nothing is in flight and nothing more is answered, however often it is looked at: at
    each look the gateway has also read what has come on its other connections.
    """
    first, *others = (client.status().accounts for _ in range(20))
    return first.in_flight == 0 and all(other == first for other in others)


def answered(server: Server) -> set[str]:
    """The requests that the log says were answered."""
    log = InferenceLog(server.settings, "toy")
    return set(log.table(columns=["request_id"], outcome="answered")["request_id"].to_pylist())


@pytest.mark.slow
def test_a_stopping_server_answers_accepted_requests_and_refuses_connections(
    pack: Pack, serve: Serve
) -> None:
    """Under load, with a slow batch at the worker: every request whose answer is in the log got
    it, and new connections are refused at once.
    """
    tag = pack(times(2, "time.sleep(1)"))
    with serve(tag, GNOMON_DEADLINE=str(DEADLINE)) as server:
        with load(server, connections=16) as seen:
            wait_for_more(seen, 16, "it answers")
            with terminated(server, 18.0):  # Nothing hangs until the deadline.
                until(lambda: refuses(server), "new connections are refused", 2)
                assert gateways(server)
        assert seen.refused == []
        assert answered(server) == set(seen.acknowledged)


@pytest.mark.slow
def test_a_stopping_server_waits_for_no_unfinished_work(pack: Pack, serve: Serve) -> None:
    """Neither a shadow in the midst of a batch, nor one that is still loading, nor a body that does
    not end, nor an answer that is not read. Requests at a hung worker get their 504 at the
    deadline. Whoever promotes an artifact that still loads is told that the server stops, and
    nothing was decided."""
    live, busy = pack(times(2)), pack(times(3, "time.sleep(3600)"))
    endless = [pack(SLOW_TO_LOAD + times(factor)) for factor in (3, 4)]
    with (
        serve(live, GNOMON_DEADLINE=str(DEADLINE)) as server,
        server.client() as control,
        ThreadPoolExecutor(2) as pool,
        contextlib.ExitStack() as connections,
    ):
        control.start_shadow(busy)
        with load(server) as seen:
            wait_for_more(seen, 50, "it answers")
        until(lambda: len(scorers(server)) == 2, "the shadow is busy", 90)
        control.start_shadow(endless[0])
        until(lambda: len(workers(server)) == 5, "the other is loading", 90)
        promotion = pool.submit(control.promote, endless[1], force=True)
        until(lambda: len(workers(server)) == 6, "what is promoted is loading", 90)
        deaf = connections.enter_context(connect(server, receive_buffer=4096))
        deaf.settimeout(1.0)
        with pytest.raises(TimeoutError):
            deaf.sendall(request(b'{"rows": [%s]}' % b",".join([GOOD] * 2_000)) * 1_000)
        body = b'{"x": -999.0, "id": "hangs"}'
        with server.client() as other:
            # Between two of its requests nothing is in flight either; the next one would wait, in
            # flight too, behind the request that hangs.
            until(lambda: is_idle(other), "the deaf client is waited for", 90)
            half = connections.enter_context(connect(server))
            half.sendall(request(GOOD[:5], length=len(GOOD)))
            hung = pool.submit(httpx.post, f"{server.url}/predict", content=body, timeout=30)
            until(lambda: other.status().accounts.in_flight == 1, "it hangs")
        with terminated(server):
            assert read_to_end(half) == b""
            assert hung.result(30).status_code == 504
            with pytest.raises(WorkerError, match="the server stops"):
                promotion.result(30)
        deaf.close()
        assert set(seen.acknowledged) <= answered(server)
        history = History(Storage(server.settings), "toy")
        history.refresh()
        assert [event.kind for event in history.events] == ["promote", *["shadow_start"] * 2]
