"""Power fails during ``gnomon log repair``: undamaged parts stay undamaged."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gnomon.log import InferenceLog, SegmentReader, stream_segments
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import Segment, stream_folder
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.faults.power import Power, skip_reason
from tests.log.log_files import logged, write_segments

CUTS = 2
REASON = skip_reason()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]

SCRIPT = """
import sys
import gnomon.log.repair.repair, deltalake, pyarrow.parquet
from gnomon.settings import Settings
print("begin", flush=True)
gnomon.log.repair.repair(Settings(root=sys.argv[1]), "flights")
print("done", flush=True)
"""


def rows_in(segment: Segment) -> int:
    with SegmentReader(segment.path, segment.closed) as reader:
        return reader.verify()


def damage(setup: Settings) -> None:
    """A bit of one segment, the beginning of another, the list of closed ones, and a commit."""
    folder = stream_folder(setup, "flights", "a", "requests")
    filled = [segment for segment in stream_segments(folder) if rows_in(segment) == 4]
    inside, beginning, *_ = filled
    content = bytearray(inside.path.read_bytes())
    content[len(content) // 2] ^= 4
    inside.path.write_bytes(content)
    beginning.path.write_bytes(bytes(600) + beginning.path.read_bytes()[600:])
    (folder / "closed.json").write_bytes(b"{")
    commits = sorted(Path(setup.root, "log/flights/_delta_log").glob("*.json"))
    commits[-1].write_bytes(b"")


def test_a_repair_interrupted_by_a_power_loss_can_be_repeated(power: Power) -> None:
    """Cut at a random time: the next repair completes it.

    Every readable batch is there once, losses are reported, and the accounts balance.
    """
    setup = Settings(root=str(power.path / "root"))
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    written: set[str] = set()
    for number in range(CUTS):
        written |= set(write_segments(setup, segments=1, rows=4))
        Sealer(setup, "flights").seal()
        ids = write_segments(setup, segments=3, rows=4)
        written |= set(ids[8:])
        damage(setup)
        os.sync()
        worker = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, setup.root], stdout=subprocess.PIPE, cwd="/"
        )
        assert worker.stdout
        worker.stdout.readline()
        time.sleep(dice.random() * 0.4)  # Not a wait: the moment of the cut.
        power.cut()
        worker.kill()
        worker.communicate()
        power.close()
        power.restore()
        repair(setup, "flights")
        assert repair(setup, "flights").is_whole, f"seed {seed}, cut {number}"
        rows = logged(setup)
        assert len(rows) == len(set(rows)), f"seed {seed}, cut {number}"
        assert not written - set(rows), f"seed {seed}, cut {number}"
        assert len(set(ids[:4]) & set(rows)) == 3, f"seed {seed}, cut {number}"
        accounts = balance(InferenceLog(setup, "flights"))
        assert accounts.balanced, f"seed {seed}, cut {number}: {accounts.explain()}"
