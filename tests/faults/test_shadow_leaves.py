"""In whatever state its shadows are, a server that has ended leaves no process."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from gnomon.testing import Server
from tests.conftest import Serve
from tests.faults.gateways import refuses, standbys
from tests.forking import children_of
from tests.load import everything, feeds, gateways, load, until, wait_for_more
from tests.packing import Pack, times

STATES = {
    "hung": "time.sleep(3600)",
    "stopped": "pass",
    "its holder stopped": "time.sleep(0.5)",
    "dying, then missing": "os.kill(os.getpid(), signal.SIGKILL)",
}
"""What the code of a shadow does that is in each state."""


def stop_server(server: Server) -> None:
    """SIGTERM, to whom an operator or a container sends it; it ends with 0."""
    assert server.stop(60) == 0


def killed(server: Server) -> None:
    """SIGKILL of the server and its gateway; the other processes notice only their closed sockets.

    The port is free at once.
    """
    until(lambda: len(standbys(server)) == 1, "it has its standby")
    left = standbys(server)
    for process in (psutil.Process(server.process.pid), *gateways(server)):
        process.kill()
    _, alive = psutil.wait_procs(left, timeout=5)
    assert alive == []
    until(lambda: refuses(server), "its port is free for another server", 5)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("ended", [stop_server, killed])
def test_a_server_leaves_no_process_of_its_shadows(
    ended: Callable[[Server], None], pack: Pack, serve: Serve, own_home: Path
) -> None:
    """Shadows that hang, are stopped, die or are missing: all of their processes end with it."""
    tags = {state: pack(times(3, fault)) for state, fault in STATES.items()}
    with serve(pack(times(2))) as server, server.client() as control:
        for tag in tags.values():
            control.start_shadow(tag)
        until(lambda: len(feeds(server)) == len(tags), "the feeds run")
        by_state = {state: feed_of(server, tag) for state, tag in tags.items()}
        until(
            lambda: all(len(children_of(f, recursive=True)) > 1 for f in by_state.values()),
            "their workers run",
            120,
        )
        with load(server, connections=2) as seen:
            wait_for_more(seen, 50, "there is something to score")
        artifact = own_home / "models" / tags["dying, then missing"].replace(":", "/")
        artifact.rename(own_home / "elsewhere")
        by_state["dying, then missing"].kill()
        until(lambda: alive(feeds(server)) == len(tags), "the feed is started again")
        children_of(by_state["its holder stopped"])[0].send_signal(signal.SIGSTOP)
        by_state["stopped"].send_signal(signal.SIGSTOP)
        everyone = everything(server)
        assert len(everyone) > 2 * len(tags)
        ended(server)
        _, left = psutil.wait_procs(everyone, timeout=30)
    assert [process.cmdline() for process in left] == []


def feed_of(server: Server, tag: str) -> psutil.Process:
    """The feed of a shadow."""
    (process,) = [feed for feed in feeds(server) if tag in feed.cmdline()]
    return process


def alive(processes: list[psutil.Process]) -> int:
    """How many of them are no zombies."""
    return sum(process.status() != psutil.STATUS_ZOMBIE for process in processes)
