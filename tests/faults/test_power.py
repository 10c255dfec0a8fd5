"""Power fails under load: acknowledged and synced rows survive, whatever was half-written."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path

import psutil
import pytest

from gnomon import rollout
from gnomon.log import InferenceLog
from gnomon.log.seal import Sealer
from gnomon.rollout.history import History
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from gnomon.storage import Storage
from gnomon.testing import Server, serving
from tests.conftest import Deploy
from tests.faults.power import Power, skip_reason
from tests.load import Load, everything, load, record, until, wait_for_more
from tests.packing import Pack, times

FSYNC_SECONDS = (0.2, 0.0, 0.0)
"""Of the server before each cut: how often it syncs; 0 for before every answer."""

REASON = skip_reason()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]


def cut_under_load(power: Power, server: Server, seen: list[Load], *, slack: float) -> set[str]:
    """Cut power in the middle, end every process, and return the ids that must be there: those
    that were answered ``slack`` seconds before, of each load some.
    """
    first = max(min(client.acknowledged_at.copy().values()) for client in seen)
    until(lambda: time.monotonic() > first + 2 * slack, "some answers are that old")
    before = time.monotonic()
    power.cut()
    for process in reversed(everything(server)):
        with contextlib.suppress(psutil.NoSuchProcess):  # It ended with its parent.
            process.kill()
    acknowledged: set[str] = set()
    for client in seen:
        old = {request for request, at in client.acknowledged_at.items() if at < before - slack}
        assert old, "no answer was old enough to say anything"
        acknowledged |= old
    return acknowledged


def large(number: int) -> dict[str, object]:
    """A record that becomes a separate log segment because of a long unknown field."""
    return {**record(number), "note": "n" * 4_500_000}


def test_synced_answers_survive_a_power_loss(
    tmp_path: Path, pack: Pack, deploy: Deploy, power: Power
) -> None:
    """Cut at random while segments are sealed, among them such as hold one large record: every
    answer that was synced is in the log once, the accounts balance, the rollout is where it was,
    and the next server goes on. With syncs before answers, that is every answer."""
    live, shadow = pack(times(2)), pack(times(3))
    root = power.path / "root"
    settings = Settings(root=str(root))
    rollout.promote(settings, "toy", live)
    rollout.start_shadow(settings, "toy", shadow)
    environment = {"GNOMON_SEGMENT_SECONDS": "0.5", "GNOMON_ROOT": str(root)}
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    must: set[str] = set()
    log = InferenceLog(settings, "toy")
    for fsync in FSYNC_SECONDS:
        environment["GNOMON_FSYNC_SECONDS"] = str(fsync)
        with (
            serving(deploy(), tmp_path / "output", environment=environment) as server,
            load(server) as small,
            load(server, 2, large, rate=3) as seen,
        ):
            wait_for_more(small, dice.randrange(100, 500), "it answers", 60)
            wait_for_more(seen, dice.randrange(2, 8), "large records are answered", 60)
            must |= cut_under_load(power, server, [small, seen], slack=5 * fsync)
        power.close()
        power.restore()
        history = History(Storage(settings), "toy")
        history.refresh()
        assert (history.state.live, [*history.state.shadows]) == (live, [shadow]), f"seed {seed}"
        logged = log.table(columns=["request_id"], role="live")["request_id"].to_pylist()
        assert not must - set(logged), f"seed {seed}"
        assert len(logged) == len(set(logged)), f"seed {seed}"
        accounts = balance(log)
        assert accounts.balanced, f"seed {seed}: {accounts.explain()}"
    Sealer(settings, "toy").seal()
    assert balance(log).balanced, f"seed {seed}"
