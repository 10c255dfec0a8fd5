"""A server's metrics are separate, and leave no files behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from gnomon.testing import Server, serving
from tests.conftest import Deploy
from tests.load import until
from tests.packing import Pack, times

HOLDER = """
import sys
from gnomon.service.metric_files import release_files, reserve_files
reserve_files()
print("reserved", flush=True)
sys.stdin.readline()
release_files()
"""


@contextmanager
def process(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has reserved its files, as a gateway does; a line on its input ends it."""
    environment = os.environ | {"BENTOML_HOME": str(home), "PROMETHEUS_MULTIPROC_DIR": str(home)}
    running = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "reserved\n"
    with running:
        yield running
        running.communicate("\n", timeout=20)


def folders(home: Path) -> list[Path]:
    """The metrics' folders of servers."""
    return sorted(path for path in (home / "gnomon-metrics").glob("*") if path.is_dir())


def kill(server: Server) -> None:
    """Kill a server and its gateways, which outlive it otherwise."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    for pid in (server.process.pid, *map(int, children.split())):
        os.kill(pid, signal.SIGKILL)
    server.process.wait(20)
    until(lambda: not any(Path("/proc", pid).exists() for pid in children.split()), "they are gone")


def received(server: Server) -> float:
    """The rows that the server's metrics say it received."""
    for line in httpx.get(f"{server.url}/metrics").text.splitlines():
        if line.startswith("gnomon_rows_received_total{"):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


@pytest.mark.slow
def test_two_servers_of_one_home_count_apart(
    pack: Pack, deploy: Deploy, tmp_path: Path, own_home: Path
) -> None:
    """Neither empties nor adds to what the other shows, and the folder goes with the server."""
    pack(times(1))
    with ExitStack() as stack:
        first = stack.enter_context(serving(deploy(), tmp_path / "one"))
        with first.client() as client:
            client.predict([{"x": 1.0, "id": "a"}] * 3)
        with serving(deploy(), tmp_path / "two") as second:
            assert (received(first), received(second)) == (3, 0)
            with second.client() as client:
                client.predict([{"x": 1.0, "id": "a"}] * 4)
            assert (received(first), received(second)) == (3, 4)
            kill(second)
        assert len(folders(own_home)) == 2
        with serving(deploy(), tmp_path / "three") as third:
            assert len(folders(own_home)) == 2
            assert (received(first), received(third)) == (3, 0)
    assert folders(own_home) == []


def test_gateways_of_one_server_share_a_folder(tmp_path: Path) -> None:
    """The last to leave removes it; it is its owner's only."""
    with process(tmp_path) as first:
        with process(tmp_path):
            [folder] = folders(tmp_path)
            assert folder.stat().st_mode & 0o077 == 0
            assert len(list(folder.glob("counter_*.db"))) == 2
        assert folders(tmp_path) == [folder]
        assert first.poll() is None
    assert folders(tmp_path) == []


def test_what_a_killed_server_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """They are kept while its process can be seen, even if no gateway of it uses the folder just
    then.
    """
    dead = tmp_path / "gnomon-metrics" / "1-2-3"
    namespace = os.stat("/proc/self/ns/pid").st_ino
    with subprocess.Popen(["sleep", "60"]) as server:
        start = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[19]
        restarting = tmp_path / "gnomon-metrics" / f"{namespace}-{server.pid}-{start}"
        for folder in (dead, restarting):
            folder.mkdir(parents=True)
            (folder / "counter_1.db").touch()
        with process(tmp_path):
            assert not dead.exists()
            assert restarting.exists()
        server.kill()
    with process(tmp_path):
        assert not restarting.exists()


def test_a_folder_is_kept_while_any_process_has_it(tmp_path: Path) -> None:
    """It is kept even if the process cannot be seen, as in another container that shares the
    home.
    """
    with process(tmp_path):
        [folder] = folders(tmp_path)
        unseen = folder.rename(folder.with_name("1-2-3"))
        with process(tmp_path):
            assert unseen.exists()


def test_gauges_of_a_dead_gateway_are_dropped(tmp_path: Path) -> None:
    """What it counted stays in the sum; its gauges do not."""
    with process(tmp_path), process(tmp_path) as killed:
        [folder] = folders(tmp_path)
        killed.kill()
        until(lambda: killed.poll() is not None, "it is gone")
        with process(tmp_path):
            left = {file.name for file in folder.glob(f"*_{killed.pid}.db")}
            assert left == {
                f"{kind}_{killed.pid}.db" for kind in ("counter", "histogram", "summary")
            }


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_not_used(tmp_path: Path) -> None:
    """Its owner could read and change the files; a folder in memory is used instead."""
    base = tmp_path / "gnomon-metrics"
    base.mkdir()
    os.chown(base, 65534, 65534)
    memory = Path("/dev/shm/gnomon-metrics-0")  # All of this user's servers may have folders there.
    with process(tmp_path) as running:
        assert folders(tmp_path) == []
        [own] = memory.glob(f"*/counter_{running.pid}.db")
    assert not own.parent.exists()
