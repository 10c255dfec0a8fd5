"""Gateways, standbys and holders of a server, for tests that end them."""

from __future__ import annotations

import httpx
import psutil

from gnomon.testing import Server
from tests.faults.clients import GOOD, connect, post
from tests.load import everything, gateways, scorers, until, workers


def ask(server: Server) -> httpx.Response | None:
    """Send one request on a separate connection; None if it was broken off."""
    try:
        return post(f"{server.url}/predict", content=GOOD)
    except httpx.TransportError:
        return None


def answers_until(server: Server, status: int) -> list[httpx.Response]:
    """Return what clients are answered, one after the other, up to the first answer of that
    status.
    """
    answers: list[httpx.Response] = []

    def is_there() -> bool:
        answer = ask(server)
        if answer is not None:
            answers.append(answer)
        return bool(answers) and answers[-1].status_code == status

    until(is_there, f"an answer with {status}")
    return answers


def kill_all_gateways(server: Server, slices: int = 1) -> None:
    """Kill all gateways of a server.

    Clients then get 503 ``not_ready`` with ``Retry-After`` until the next gateways answer, and no
    client is left waiting.
    """
    until(lambda: len(gateways(server)) == slices, "all gateways run")
    until(lambda: len(standbys(server)) == slices, "each has its standby")
    left = standbys(server)
    for gateway in gateways(server):
        gateway.kill()
    [answer] = answers_until(server, 503)[-1:]
    assert "the gateway has ended" in answer.json()["error"]["message"]
    assert answer.json()["error"]["code"] == "not_ready"
    assert answer.headers["retry-after"] == "1"
    answers_until(server, 200)
    psutil.wait_procs(left, timeout=10)
    assert not [process for process in left if process.is_running()]


def stop_all(server: Server) -> None:
    """Stop a server; no process of it is left."""
    everyone = everything(server)
    assert server.stop() == 0
    _, alive = psutil.wait_procs(everyone, timeout=10)
    assert [process.cmdline() for process in alive] == []


def standbys(server: Server) -> list[psutil.Process]:
    """The processes that would answer if a gateway was killed."""
    processes = []
    for process in everything(server):
        try:
            if any(word.endswith("standby_process.py") for word in process.cmdline()):
                processes.append(process)
        except psutil.NoSuchProcess:
            continue
    return processes


def holders(server: Server) -> list[psutil.Process]:
    """The processes that fork scorers."""
    forked = {process.pid for process in scorers(server)}
    return [process for process in workers(server) if process.pid not in forked]


def refuses(server: Server) -> bool:
    """Whether a new connection is refused immediately."""
    try:
        connect(server).close()
    except ConnectionRefusedError:
        return True
    return False
