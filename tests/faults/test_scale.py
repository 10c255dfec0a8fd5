"""Slices share only the storage root: two gateways of a server, and two servers with separate
spools, follow one rollout.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gnomon import rollout
from gnomon.log import InferenceLog
from gnomon.log.seal import Sealer
from gnomon.rollout.history import History
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.shadow.accounts.accounts import LogAccounts
from gnomon.shadow.accounts.balance import balance
from gnomon.shadow.heartbeats import Heartbeat
from gnomon.storage import Storage
from gnomon.testing import Server, serving
from tests.bucket import bucket, needs_bucket
from tests.conftest import Deploy, Serve
from tests.forking import run_python
from tests.load import Load, load, until, wait_for_more
from tests.packing import Pack, times

SLEEP = "time.sleep(0.01)"
"""In live's code, so that clients and shadows get their share of the processor."""
RATE = 40.0
"""Requests a second: two servers and their shadows work for each load."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def beats(settings: Settings) -> list[Heartbeat]:
    """What the slices that live say."""
    return [b for b in heartbeats.read(Storage(settings), "toy") if not b.is_stale()]


def all_follow(settings: Settings, epoch: int, live: str) -> None:
    """Wait until both slices have carried out a decision."""
    until(
        lambda: [(b.epoch, b.live) for b in beats(settings)] == [(epoch, live)] * 2,
        f"both slices carry out decision {epoch}",
        60,
    )


def wait_until_shadows_caught_up(settings: Settings, rows: int) -> None:
    """Wait until the shadows of both slices have scored so many rows in all, and none lags."""

    def scored_and_lagging() -> tuple[int, int]:
        shadows = [beat.shadows[0] for beat in beats(settings)]
        return sum(s.scored for s in shadows), sum(s.lagging for s in shadows)

    until(lambda: scored_and_lagging() == (rows, 0), f"the shadows score {rows} rows", 120)


def status(settings: Settings) -> dict[str, Any]:
    """What ``gnomon status --json`` prints."""
    environment = {**os.environ, **settings.environment()}
    done = run_python(["-m", "gnomon", "status", "--json"], cwd=Path.cwd(), env=environment)
    assert done.returncode == 0, done.stderr
    overview: dict[str, Any] = msgspec.json.decode(done.stdout)
    return overview


def accounts(settings: Settings) -> LogAccounts:
    """The accounts, which balance."""
    balanced = balance(InferenceLog(settings, "toy"))
    assert balanced.balanced, balanced.explain()
    return balanced


def kinds(settings: Settings) -> list[str]:
    """The decisions on record."""
    history = History(Storage(settings), "toy")
    history.refresh()
    return [event.kind for event in history.events]


def test_two_slices_of_a_server_run_one_rollout(pack: Pack, serve: Serve) -> None:
    """Both take requests; a decision made in one is carried out in both; status and accounts are
    the sums.
    """
    old, new = pack(times(2, SLEEP)), pack(times(3))
    with serve(old, GNOMON_SLICES="2") as server, server.client() as control:
        settings = server.settings
        control.start_shadow(new)
        all_follow(settings, 2, old)
        rows = 0
        while not all(beat.accounts["answered"] > 10 for beat in beats(settings)):
            # The kernel gives a connection to whichever gateway comes first, for good.
            with load(server, connections=4, rate=RATE) as seen:
                wait_for_more(seen, 20, "answers")
            assert (seen.lost, seen.refused) == (0, [])
            rows += len(seen.acknowledged)
        wait_until_shadows_caught_up(settings, rows)
        overview = status(settings)
        first = accounts(settings)
        with load(server, connections=4, rate=RATE) as swapped:
            control.promote(new, force=True)
            all_follow(settings, 3, new)
            wait_for_more(swapped, 20, "new answers")
            control.rollback()
            all_follow(settings, 4, old)
            wait_for_more(swapped, 20, "old answers")
    assert [len(overview["slices"]), overview["gone"]] == [2, []]
    assert overview["total"]["books"]["answered"] == rows
    assert overview["total"]["shadows"][0]["disagreed"] == rows
    assert (first.shadows[0].eligible, first.shadows[0].scored) == (rows, rows)
    check(swapped, {old: 2.0, new: 3.0})
    assert accounts(settings).live.outcomes == {"answered": rows + len(swapped.acknowledged)}
    assert kinds(settings) == ["promote", "shadow_start", "promote", "rollback"]


def check(seen: Load, factors: dict[str, float]) -> None:
    """Hold every answer to the artifact that gave it; nothing was refused or lost."""
    assert (seen.lost, seen.refused) == (0, [])
    assert {answer["artifact"] for answer in seen.acknowledged.values()} == set(factors)
    by_factor = Counter(
        answer["prediction"] % factors[answer["artifact"]] for answer in seen.acknowledged.values()
    )
    assert set(by_factor) == {0.0}


@pytest.fixture(params=["folder", pytest.param("bucket", marks=needs_bucket)])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A storage root that two machines can share."""
    with contextlib.ExitStack() as stack:
        in_bucket = request.param == "bucket"
        yield stack.enter_context(bucket()) if in_bucket else str(tmp_path / "root")


@contextlib.contextmanager
def replicas(root: str, tmp_path: Path, own_home: Path, deployment: Path) -> Iterator[list[Server]]:
    """Two servers as on two machines: stores, spools and names of their own, one storage root."""
    with contextlib.ExitStack() as stack:
        running = []
        for name in ("a", "b"):
            home = tmp_path / f"home-{name}"
            shutil.copytree(own_home, home)
            environment = {
                "BENTOML_HOME": str(home),
                "GNOMON_ROOT": root,
                "GNOMON_CONTROL_TOKEN": "one for all",
                "GNOMON_SPOOL": str(tmp_path / f"spool-{name}"),
                "GNOMON_REPLICA": f"machine-{name}",
                # The stand-in for S3 lets two commits at once overwrite each other.
                "GNOMON_SEGMENT_SECONDS": "300" if "://" in root else "1",
            }
            server = serving(deployment, tmp_path / name, environment=environment)
            running.append(stack.enter_context(server))
        yield running


def test_two_replicas_run_one_rollout(
    root: str, pack: Pack, deploy: Deploy, tmp_path: Path, own_home: Path
) -> None:
    """A decision made on one machine is carried out on the other; when both have ended, their
    logs are one table without missing or repeated rows.
    """
    old, new = pack(times(2, SLEEP)), pack(times(3))
    other = Settings(root=root, spool=str(tmp_path / "nothing"))
    rollout.promote(other, "toy", old)
    running = replicas(root, tmp_path, own_home, deploy())
    with running as (a, b), a.client() as at_a, b.client() as at_b:
        at_a.start_shadow(new)
        all_follow(other, 2, old)
        with (
            load(a, connections=4, rate=RATE) as seen_a,
            load(b, connections=4, rate=RATE) as seen_b,
        ):
            wait_for_more(seen_a, 30, "a answers")
            wait_for_more(seen_b, 30, "b answers")
        rows = len(seen_a.acknowledged) + len(seen_b.acknowledged)
        wait_until_shadows_caught_up(other, rows)
        overview = status(other)
        with (
            load(a, connections=4, rate=RATE) as more_a,
            load(b, connections=4, rate=RATE) as more_b,
        ):
            at_b.promote(new, force=True)
            all_follow(other, 3, new)
            wait_for_more(more_b, 20, "new answers")
            wait_for_more(more_a, 20, "new answers")
            at_a.rollback()
            all_follow(other, 4, old)
            wait_for_more(more_a, 20, "old answers")
            wait_for_more(more_b, 20, "old answers")
    for server in (a, b):
        Sealer(server.settings, "toy").seal()
    assert [entry["slice"] for entry in overview["slices"]] == ["machine-a-1", "machine-b-1"]
    assert overview["total"]["books"]["answered"] == rows
    assert overview["total"]["shadows"][0]["scored"] == rows
    for seen in (more_a, more_b):
        check(seen, {old: 2.0, new: 3.0})
    every = {**seen_a.acknowledged, **seen_b.acknowledged, **more_a.acknowledged}
    every.update(more_b.acknowledged)
    for settings in (a.settings, b.settings, other):
        totals = accounts(settings)
        assert totals.live.outcomes == {"answered": len(every)}
        assert totals.shadows[0].eligible == totals.shadows[0].scored >= rows
    table = InferenceLog(other, "toy").table(columns=["request_id"], role="live")
    assert Counter(table["request_id"].to_pylist()) == Counter(every.keys())
    assert kinds(other) == ["promote", "shadow_start", "promote", "rollback"]
