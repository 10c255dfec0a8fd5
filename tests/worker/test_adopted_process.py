"""A worker outlives its gateway, or ends with it."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
from collections.abc import Iterator

import psutil
import pyarrow as pa
import pytest

from gnomon.artifact import Artifact
from gnomon.settings import Settings
from gnomon.worker import messages
from gnomon.worker.adopted_process import HolderHandle, TakenOverHolder, outlive, take_over
from gnomon.worker.spawn import Spawned, reap, spawn
from tests.load import until
from tests.packing import times
from tests.worker.conftest import Toy, rows


@pytest.fixture
def artifact(toy: Toy) -> Artifact:
    return toy(times(2))


@pytest.fixture
def serving(artifact: Artifact, settings: Settings) -> Iterator[tuple[Spawned, int, socket.socket]]:
    """A worker that serves, its scorer's process id and data socket."""
    spawned = spawn(artifact, settings)
    spawned.control.settimeout(60)
    event, data = messages.read_event(spawned.control)
    assert isinstance(event, messages.Ready)
    assert data is not None
    with spawned.control, data:
        yield spawned, event.pid, data
        spawned.process.kill()
        reap(spawned.process)


def handed_on(handle: HolderHandle) -> HolderHandle:
    """The same holder for another process: descriptors of its own."""
    return HolderHandle(handle.control.dup(), handle.tether.dup(), os.dup(handle.process))


def taken_over(handle: HolderHandle) -> TakenOverHolder | None:
    return asyncio.run(take_over(handle))


def is_dead(pid: int) -> bool:
    """Whether a process has ended, even if its parent has not waited for it yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def has_ended(handle: int, seconds: float) -> bool:
    return bool(select.select([handle], [], [], seconds)[0])


def test_it_serves_whoever_takes_it_over(
    serving: tuple[Spawned, int, socket.socket], artifact: Artifact
) -> None:
    """Another client gets a fresh scorer from the same holder, repeatedly."""
    spawned, first, data = serving
    handle = outlive(spawned)
    assert handle is not None
    data.close()  # The scorer leaves; what the holder says of it is for nobody.
    seen = {first}
    for _ in range(2):
        mine = handed_on(handle)
        taken = taken_over(mine)
        assert taken is not None
        assert taken.spawned.process.pid == spawned.process.pid
        batch = rows(artifact, [1.0, 2.0])
        with taken.data:
            taken.data.setblocking(True)
            taken.data.sendall(messages.pack_frame(1, messages.SCORE, batch.serialize()))
            frame = messages.recv_frame(taken.data)
        assert frame is not None
        scored: pa.RecordBatch = messages.read_batch(
            frame.payload, messages.scored_schema(artifact.contract.output_schema)
        )
        assert scored.column("prediction").to_pylist() == [2.0, 4.0]
        assert taken.pid not in seen
        seen.add(taken.pid)
        mine.close()
    handle.close()


@pytest.mark.parametrize("stopped", [False, True])
def test_it_ends_with_the_last_who_has_its_tether(
    stopped: bool, serving: tuple[Spawned, int, socket.socket]
) -> None:
    """It lives as long as one copy is open; then it is killed, even if it is stopped."""
    spawned, _, _ = serving
    handle = outlive(spawned)
    assert handle is not None
    scorer = until_tethered(handle)
    holder, last = os.pidfd_open(spawned.process.pid), handle.tether.dup()
    if stopped:
        os.kill(spawned.process.pid, signal.SIGSTOP)
    handle.tether.close()
    assert not has_ended(holder, 0.2)
    last.close()
    assert has_ended(holder, 5)
    assert spawned.process.wait() == -signal.SIGKILL
    os.close(holder)
    os.close(handle.process)
    until(lambda: is_dead(scorer), "its scorer ends with it")


def test_one_that_does_not_answer_is_killed(serving: tuple[Spawned, int, socket.socket]) -> None:
    """A holder that is stopped is not waited for: it is not taken over, and ends."""
    spawned, _, _ = serving
    handle = outlive(spawned)
    assert handle is not None
    until_tethered(handle)
    os.kill(spawned.process.pid, signal.SIGSTOP)
    assert taken_over(handle) is None
    assert spawned.process.wait(5) == -signal.SIGKILL


def test_one_that_has_ended_is_not_taken_over(serving: tuple[Spawned, int, socket.socket]) -> None:
    """A holder that was killed with its gateway: that is seen at once."""
    spawned, _, _ = serving
    handle = outlive(spawned)
    assert handle is not None
    spawned.process.kill()
    spawned.process.wait(5)
    assert taken_over(handle) is None


def until_tethered(handle: HolderHandle) -> int:
    """Wait until the holder has read that it is to outlive: then its scorer has been replaced by
    one with this process id.
    """
    mine = handed_on(handle)
    taken = taken_over(mine)
    assert taken is not None
    taken.data.close()
    mine.close()
    return taken.pid
