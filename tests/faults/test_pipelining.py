"""Clients that send many requests before they read an answer."""

from __future__ import annotations

import select
import socket
import threading
import time

import psutil

from gnomon.testing import Server
from tests.attack.table import Client
from tests.faults.accounts import Accounts
from tests.faults.clients import GOOD, ask, connect, request
from tests.load import Load, gateways, until

FAULT = "time.sleep(0.4)"
"""Only for rows whose id begins with ``online``."""

DEADLINE = 2.0
SETTINGS = {"GNOMON_DEADLINE": str(DEADLINE), "GNOMON_CLIENT_SECONDS": "10"}
KERNEL_BYTES = 10_000_000
"""More than the kernel takes for a connection whose other end does not read."""

SLOW = b'{"x": 4.0, "id": "online"}'


def test_the_deadline_counts_from_when_a_request_was_read(shared: Server) -> None:
    """Not from when the previous request on its connection was answered; and other clients do
    not wait for all of them.
    """
    accounts, quickest = Accounts(shared), []
    with Client(connect(shared)) as client:
        started = time.monotonic()
        client.send(request(SLOW) * 30)
        quickest.append(ask(shared))
        answers = client.read(30)
        took = time.monotonic() - started
    since = accounts.check(Load())
    statuses = [answer.status for answer in answers]
    assert len(statuses) == 30
    assert set(statuses) == {200, 504}
    assert statuses == sorted(statuses)
    assert took < 2 * DEADLINE
    assert max(quickest) < DEADLINE
    assert since["timed_out:deadline_exceeded"] == statuses.count(504)


def test_a_thousand_pipelined_requests_do_not_delay_other_clients(shared: Server) -> None:
    """All are answered, in order, and other clients are served in between."""
    bodies = [b'{"x": %d, "id": "a"}' % number for number in range(1_000)]
    done, waited = threading.Event(), []

    def ask_repeatedly() -> None:
        while not done.wait(0.01):
            waited.append(ask(shared))

    other = threading.Thread(target=ask_repeatedly)
    with Client(connect(shared)) as client:
        sending = threading.Thread(target=client.send, args=[request(body) for body in bodies])
        other.start()
        sending.start()
        answers = client.read(len(bodies))
        done.set()
        sending.join()
        other.join()
    predictions = [answer.json["prediction"] for answer in answers if answer.status == 200]
    assert len(answers) == len(bodies)
    assert {answer.status for answer in answers} <= {200, 504}
    assert predictions == sorted(predictions)
    assert max(waited) < DEADLINE


def test_a_client_that_never_reads_does_not_grow_memory(shared: Server) -> None:
    """The gateway does not read more requests while its answers are not taken."""
    [gateway] = gateways(shared)
    before = resident(gateway)
    deaf = connect(shared, receive_buffer=4096)
    deaf.setblocking(False)
    data, sent, until_ = request(GOOD) * 1_000, 0, time.monotonic() + 3
    while time.monotonic() < until_ and sent < 200_000_000:
        try:
            sent += deaf.send(data)
        except BlockingIOError:
            time.sleep(0.02)
            ask(shared)
    grown = resident(gateway) - before
    deaf.close()
    until(lambda: ask(shared) < DEADLINE, "others are answered")
    assert sent < 200_000_000
    assert grown < 30_000_000


def test_requests_behind_one_that_hangs_are_not_read(shared: Server) -> None:
    """While it is in progress, further requests on the connection stay in the kernel's buffers."""
    with connect(shared) as client, shared.client() as control:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        client.sendall(request(b'{"x": -999.0, "id": "a"}'))
        until(lambda: control.status().accounts.in_flight == 1, "it is under way")
        client.setblocking(False)
        data, sent = request(GOOD) * 1_000, 0
        while not select.select([client], [], [], 0)[0] and sent < KERNEL_BYTES:
            try:
                sent += client.send(data)
            except BlockingIOError:
                time.sleep(0.01)
        assert sent < KERNEL_BYTES
        client.setblocking(True)
        assert client.recv(65_536).startswith(b"HTTP/1.1 504")


def test_endless_headers_do_not_grow_memory(shared: Server) -> None:
    """They are refused, and further bytes are discarded until the connection is closed."""
    [gateway] = gateways(shared)
    before = resident(gateway)
    with Client(connect(shared)) as client:
        client.send(b"POST /predict HTTP/1.1\r\nHost: x\r\n")
        sending = threading.Thread(target=client.send, args=[b"A:\r\n" * 100_000] * 100)
        sending.start()
        [answer] = client.read()
        sending.join()
    assert (answer.status, answer.json["error"]["code"]) == (431, "head_too_large")
    assert resident(gateway) - before < 30_000_000


def resident(process: psutil.Process) -> int:
    """Bytes of memory."""
    return int(process.memory_info().rss)
