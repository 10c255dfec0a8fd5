"""The sealer is killed at random times while it seals, compacts and removes old rows."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gnomon.errors import GnomonError
from gnomon.log import InferenceLog
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.log_files import write_segment
from tests.log.rows import settings

ROUNDS = 5
SCRIPT = """
import sys
from gnomon.log.seal import Sealer
from gnomon.settings import Settings
setup = Settings(root=sys.argv[1], spool=sys.argv[2], retention_bytes=int(sys.argv[3]))
Sealer(setup, "flights").seal()
print("begin", flush=True)
for _ in range(100):
    Sealer(setup, "flights").maintain()
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_removed_and_remaining_rows_add_up(tmp_path: Path) -> None:
    """The next sealer continues; nothing is lost, repeated or reported as damaged."""
    setup = settings(tmp_path, spool=str(tmp_path / "spool"))
    draw = random.Random(7)
    for number in range(ROUNDS):
        for _ in range(3):
            write_segment(setup, rows=40)
        arguments = [setup.root, str(setup.spool_path), str(20_000 - 3_000 * number)]
        worker = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *arguments], stdout=subprocess.PIPE
        )
        assert worker.stdout
        worker.stdout.readline()
        time.sleep(draw.random() * 0.3)  # Not a wait: the moment of its death.
        os.kill(worker.pid, signal.SIGKILL)
        worker.communicate()
        accounts = balance(InferenceLog(setup, "flights"))
        assert accounts.balanced, f"round {number}: {accounts.explain()}"
    end(setup)


def end(setup: Settings) -> None:
    sealer = Sealer(Settings(root=setup.root, spool=setup.spool, retention_bytes=1), "flights")
    with contextlib.suppress(GnomonError):
        sealer.seal()
        sealer.maintain()
    log = InferenceLog(setup, "flights")
    accounts = balance(log)
    assert accounts.balanced, accounts.explain()
    ids = log.table(columns=["request_id"])["request_id"].to_pylist()
    assert len(ids) == len(set(ids)) < ROUNDS * 120
    assert repair(setup, "flights").is_whole
