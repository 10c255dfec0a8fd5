"""The wall clock is set back and forward under a running server."""

from __future__ import annotations

import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from gnomon.log import InferenceLog
from gnomon.log.table.log_table import LogTable
from gnomon.testing import Server
from tests.conftest import Serve
from tests.faults.accounts import Accounts
from tests.load import load, until, wait_for_more
from tests.packing import Pack, times

HOUR = 3600


class WallClock:
    """The wall clock of processes that are started with its environment."""

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "offset"
        self.set(0)
        library = folder / "wall_clock.so"
        source = Path(__file__).with_name("wall_clock.c")
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("a wall clock of its own takes a C compiler")
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source)]
        subprocess.run(command, check=True, timeout=60)
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK": str(self._offset)}

    def set(self, seconds: int) -> None:
        """Let it differ from the machine's by so much, from now on."""
        with self._offset.open("r+b" if self._offset.exists() else "wb") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))


@pytest.mark.slow
def test_a_clock_that_is_set_back_keeps_the_order_and_loses_no_row(
    pack: Pack, serve: Serve, tmp_path: Path
) -> None:
    """An hour back and two forward: ids keep the order of arrival, no duration is negative,
    segments are closed and sealed, and the history keeps its order.
    """
    clock = WallClock(tmp_path)
    old, new = pack(times(2)), pack(times(3))
    settings = {"GNOMON_SEGMENT_SECONDS": "0.5", **clock.environment}
    with serve(old, **settings) as server, server.client() as control:
        accounts = Accounts(server)
        with load(server, connections=1, rate=50) as seen:
            wait_for_more(seen, 30, "it answers")
            for offset in (-HOUR, HOUR):
                clock.set(offset)
                before = sealed(server)
                wait_for_more(seen, 30, "it goes on")
                until(lambda n=before: sealed(server) > n + 1, "segments are sealed", 60)
            control.promote(new, force=True, why="a test")
            clock.set(0)
            control.rollback(why="a test")
        since = accounts.check(seen)
        history = control.history()
        assert control.status().live.artifact == old  # type: ignore[union-attr]
        columns = ["request_id", "arrived", "queued_us", "scored_us", "total_us"]
        table = InferenceLog(server.settings, "toy").table(columns=columns)
    rows = {row["request_id"]: row for row in table.to_pylist()}
    ids = list(seen.acknowledged)
    arrived = [rows[request]["arrived"].timestamp() for request in ids]
    steps = [after - before for before, after in pairwise(arrived)]
    assert min(steps) < -HOUR / 2 < HOUR < max(steps)
    assert ids == sorted(ids)
    for row in rows.values():
        assert 0 <= row["queued_us"] + row["scored_us"] <= row["total_us"] < 1e6 * HOUR / 2
    assert since["answered"] == since["received"] == len(ids)
    assert [event.kind for event in history] == ["promote", "promote", "rollback"]
    assert history[-1].at < history[-2].at


def sealed(server: Server) -> int:
    """How often rows were moved to the table of the sealed log."""
    table = LogTable(server.settings, "toy").load()
    return 0 if table is None else table.version()
