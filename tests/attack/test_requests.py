"""Unusual requests get the answer of the table on both paths, however they are split; none smuggles
another request.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gnomon.settings import Settings
from tests.attack.table import CANARY, Answer, Case, Client, cases
from tests.service.echo import Served

CASES = cases()
SECONDS = 10.0


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A front door on a real server that answers a body with itself."""
    made = Served(Settings(client_seconds=SECONDS, body_bytes=200_000, hosts="*"))
    try:
        yield made
    finally:
        made.close()


def in_pieces(data: bytes, seed: str) -> list[bytes]:
    """Some sixty pieces, of few bytes where there are few; the same ones each time."""
    chance, most = random.Random(seed), max(len(data) // 30, 3)
    pieces = []
    while data:
        size = chance.randint(1, most)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def check(case: Case, answers: list[Answer]) -> None:
    """Compare with the table; every error has the common shape."""
    assert [answer.status for answer in answers] == [case.status] * case.answers
    if case.status == 200:
        assert [answer.json["body"] for answer in answers] == case.bodies
    else:
        error = answers[0].json["error"]
        assert set(error) == {"code", "message", "where", "hint", "request_id"}
        if case.ends != "any":
            closes = answers[0].headers.get("connection") == "close"
            assert closes == (case.ends == "closed")


def check_canary(case: Case, client: Client) -> bool:
    """Whether the canary was answered; it must be, or not, as the table says."""
    following = client.read()
    if case.ends != "closed" and (case.ends == "open" or following):
        assert [answer.json["body"] for answer in following] == ["canary"]
        return True
    assert following == []
    return False


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "in pieces"])
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_odd_request_gets_its_answer(served: Served, case: Case, cut: bool) -> None:
    """The request behind it is answered as itself or, if the end of the unusual one is unknown, not
    at all.
    """
    for data in case.ways():
        del served.echo.bodies[:]
        with Client(served.connect()) as client:
            whole = data + CANARY
            client.send(*(in_pieces(whole, case.name) if cut else [whole]))
            check(case, client.read(case.answers))
            canary = ["canary"] if check_canary(case, client) else []
        assert [body.decode("latin-1") for body in served.echo.bodies] == [*case.bodies, *canary]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_half_closed_client_gets_its_answer(served: Served, case: Case) -> None:
    """A client that closes its sending side still gets its answers."""
    for data in case.ways():
        with Client(served.connect()) as client:
            client.send(data)
            client.end()
            answers = client.read(case.answers + 1)
            if case.status == 413 and answers[0].status == 400:
                continue  # It is cut short as well, and either may be found first.
            check(case, answers)


def test_the_second_half_may_come_late(served: Served) -> None:
    """Pauses longer than the wait for a plain request, at any position, change nothing."""

    def ask(case: Case) -> None:
        for data in case.ways():
            cut = random.Random(case.name).randint(1, len(data) - 1)
            with Client(served.connect()) as client:
                client.send(data[:cut])
                time.sleep(0.1)  # a client that is slow, not one that is waited for
                client.send(data[cut:] + CANARY)
                check(case, client.read(case.answers))
                check_canary(case, client)

    with ThreadPoolExecutor(16) as pool:
        for future in [pool.submit(ask, case) for case in CASES]:
            future.result()


@pytest.mark.parametrize("through_asgi", [False, True], ids=["plain", "asgi"])
def test_a_request_cut_short_is_a_400(served: Served, through_asgi: bool) -> None:
    """Wherever the request is cut; nothing is predicted."""
    target = b"/predict?x" if through_asgi else b"/predict"
    data = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody" % target
    for end in range(1, len(data)):
        del served.echo.bodies[:]
        with Client(served.connect()) as client:
            client.send(data[:end])
            client.end()
            [answer] = client.read(2)
        assert (answer.status, answer.json["error"]["code"]) == (400, "malformed_request")
        assert served.echo.bodies == []


def test_the_table_is_long() -> None:
    """No row is in the table twice."""
    assert len(CASES) >= 150
    assert len({case.name for case in CASES}) == len({case.send for case in CASES}) == len(CASES)


@pytest.mark.parametrize("chunked", [False, True])
def test_who_waits_for_leave_to_send_a_body_gets_it(served: Served, chunked: bool) -> None:
    """``100 Continue`` is sent once, before the answer, and the connection stays open."""
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 4"
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\n%s\r\n\r\n" % framing
    connection = served.connect()
    with Client(connection) as client:
        client.send(head)
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"4\r\nbody\r\n0\r\n\r\n" if chunked else b"body", CANARY)
        assert [answer.json["body"] for answer in client.read(2)] == ["body", "canary"]


def test_a_body_that_comes_byte_by_byte_in_chunks_is_joined(served: Served) -> None:
    """The body is joined from any number of chunks of any size."""
    body = b"".join(b"1\r\n%c\r\n" % (97 + number % 26) for number in range(30_000))
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Client(served.connect()) as client:
        client.send(head + body + b"0\r\n\r\n" + CANARY)
        answers = client.read(2)
    assert len(answers[0].json["body"]) == 30_000
    assert answers[1].json["body"] == "canary"
