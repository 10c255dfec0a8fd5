"""Which worker a gateway takes over, and which it ends."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from gnomon.artifact import Artifact, inspect
from gnomon.service.slice.takeover import PAIRS, Takeover, prepare_takeover
from gnomon.settings import Settings
from gnomon.worker.adopted_process import HolderHandle
from tests.packing import Pack, times


@dataclass
class Live:
    """What is live in a gateway: an artifact and a process that stands for its worker."""

    artifact: Artifact
    handle: HolderHandle

    def outliving(self) -> list[HolderHandle]:
        return [self.handle]


PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


@pytest.fixture
def live(pack: Pack, worker: subprocess.Popen[bytes]) -> Iterator[Live]:
    (control, other), (tether, its) = socket.socketpair(), socket.socketpair()
    with control, other, tether, its:
        yield Live(
            inspect(pack(times(2))), HolderHandle(control, tether, os.pidfd_open(worker.pid))
        )


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What the process that starts gateways tells them."""
    monkeypatch.setenv(PAIRS, "")
    prepare_takeover(1)
    numbers = os.environ[PAIRS]
    yield numbers
    # Or other tests of this process would find the grandchildren of processes that they kill.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0)
    for number in numbers.split("-"):
        os.close(int(number))


@pytest.fixture
def gateway(pair: str, settings: Settings) -> Iterator[Callable[[], Takeover]]:
    """A gateway that is started: its copies of the pair are its own."""

    takeovers = []

    def started() -> Takeover:
        os.environ[PAIRS] = "-".join(str(os.dup(int(number))) for number in pair.split("-"))
        takeovers.append(Takeover(settings))
        return takeovers[-1]

    yield started
    for takeover in takeovers:
        takeover.close()


def test_the_worker_of_a_living_gateway_is_left_alone(
    gateway: Callable[[], Takeover], live: Live, worker: subprocess.Popen[bytes]
) -> None:
    """If there were two gateways of one slice, the second would take and offer nothing."""
    first = gateway()
    first.offer(live)
    for _ in range(2):
        second = gateway()
        assert second.claim(live.artifact) == []
        second.offer(live)
    assert worker.poll() is None


def test_an_offer_that_cannot_be_read_is_discarded(
    pair: str, gateway: Callable[[], Takeover], live: Live
) -> None:
    """Another version of Gnomon left it: the gateway starts, finds nothing, and offers its own."""
    with socket.socket(fileno=os.dup(int(pair.split("-")[0]))) as end, open(os.devnull) as null:
        for numbers in ([], [null.fileno()], [null.fileno()] * 3, [null.fileno()] * 4):
            socket.send_fds(end, [b"of another version"], numbers)
            assert gateway().claim(live.artifact) == []
    gateway().offer(live)


def test_without_a_pair_nothing_is_offered(settings: Settings, live: Live) -> None:
    """A gateway started in another way loads its artifact as usual."""
    takeover = Takeover(settings)
    takeover.offer(live)
    assert takeover.claim(live.artifact) == []
