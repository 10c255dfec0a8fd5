"""The shadow is killed, hangs, is stopped, leaks, is missing or slow: live is not affected, and
in the end the shadow has scored every row once.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from gnomon.log import REQUESTS, InferenceLog, read_position, shadow_stream, stream_segments
from gnomon.testing import Server
from tests.faults.shadows import Packed, Shadow, install, shadowing
from tests.load import load, record, until, wait_for_more

FAULT = "time.sleep(0.01)"
SPOOL_BYTES = 20_000
SHADOW_DEADLINE = 1
SETTINGS = {
    "GNOMON_SHADOW_DEADLINE": str(SHADOW_DEADLINE),
    "GNOMON_WORKER_BYTES": "400_000_000".replace("_", ""),
    "GNOMON_SEGMENT_SECONDS": "2",
    "GNOMON_SPOOL_BYTES": str(SPOOL_BYTES),
}
CONNECTIONS = 3
"""Live sleeps, so that these leave the processor to the shadow."""
RATE = 30.0
"""Requests a second: enough to see, and few enough for what takes long."""

POISON = 777.0
"""A value on which some of the shadows do their worst."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def poisoned(number: int) -> dict[str, Any]:
    """Healthy records but for one."""
    return record(number) | ({"x": POISON} if number == 20 else {})


def test_a_shadow_killed_and_stopped_scores_every_row_once(
    shared: Server, packed_once: Packed
) -> None:
    """``kill -9`` of scorer, holder and feed in turn, under load: no row is lost, repeated
    or blamed for a death that was none of its doing. SIGSTOP of the feed: it is failing, ever
    further behind, and live answers on. After SIGCONT it catches up."""
    tag = f"toy:{install(shared, packed_once, 'pass').name}"
    with shadowing(shared, tag) as shadow:

        def scorer() -> psutil.Process:
            return shadow.processes()[1]

        def holder() -> psutil.Process:
            return shadow.processes()[0]

        with load(shared, CONNECTIONS, rate=RATE) as seen:
            for victim in (scorer, holder, shadow.feed):
                scored = shadow.status.scored
                until(lambda n=scored: shadow.status.scored > n, "it scores", 60)
                until(lambda: len(shadow.processes()) == 2, "its worker is whole")
                victim().kill()
            scored = shadow.status.scored
            until(lambda: shadow.status.scored > scored, "it scores", 60)
            feed = shadow.feed()
            feed.send_signal(signal.SIGSTOP)
            until(lambda: shadow.status.state == "failing", "it is said to fail")
            status = shadow.status
            assert f"process {feed.pid}, has not reported" in (status.error or "")
            wait_for_more(seen, 20, "live answers on")
            assert shadow.status.behind_seconds > status.behind_seconds
            feed.send_signal(signal.SIGCONT)
            until(lambda: shadow.status.state == "running", "it runs again")
        shadow.check(seen)
        assert shadow.status.error is None


def test_a_shadow_that_hangs_on_a_row_is_killed_and_goes_on(
    shared: Server, packed_once: Packed
) -> None:
    """Its worker is killed at the deadline, and again for each half, until the row is found:
    only that row fails, with the reason, and the waiting rows are scored.
    """
    hangs = f"{POISON} in set(X['x']) and time.sleep(3600)"
    tag = f"toy:{install(shared, packed_once, hangs).name}"
    with shadowing(shared, tag) as shadow:
        with load(shared, CONNECTIONS, poisoned, RATE) as seen:
            until(lambda: shadow.status.behind_seconds > SHADOW_DEADLINE, "it is seen to be behind")
            assert shadow.status.lagging > 0
            wait_for_more(seen, 20, "live answers on")
        shadow.check(seen, failed=1)
    (row,) = failures(shared, tag)
    assert (row["outcome"], row["input_x"]) == ("crashed", POISON)
    assert f"took longer than {SHADOW_DEADLINE} s and was killed" in row["error"]


def test_a_leaking_shadow_is_replaced_at_its_limit(shared: Server, packed_once: Packed) -> None:
    """It leaks 64 MiB per batch.

    Whenever it runs out of memory, its worker is replaced, and no row fails.
    """
    leaks = "self.leak_ = getattr(self, 'leak_', []) + [bytearray(1 << 26)]"
    tag = f"toy:{install(shared, packed_once, leaks).name}"
    with shadowing(shared, tag) as shadow:
        scorers = set()
        with load(shared, CONNECTIONS, rate=RATE) as seen:

            def replaced() -> bool:
                scorers.update(process.pid for process in shadow.processes()[1:])
                return len(scorers) > 2

            until(replaced, "its scorer is replaced, again and again", 60)
        shadow.check(seen)


def test_a_row_that_exceeds_a_shadows_memory_fails_alone(
    shared: Server, packed_once: Packed
) -> None:
    """The row needs a gigabyte: it is tried twice alone, and its reason names the setting."""
    needs = f"need = bytearray(1 << 30) if {POISON} in set(X['x']) else None"
    tag = f"toy:{install(shared, packed_once, needs).name}"
    with shadowing(shared, tag) as shadow:
        with load(shared, CONNECTIONS, poisoned, RATE) as seen:
            wait_for_more(seen, 40, "the row is among those answered")
        shadow.check(seen, failed=1)
    (row,) = failures(shared, tag)
    assert row["input_x"] == POISON
    assert "out of memory, see GNOMON_WORKER_BYTES" in row["error"]


def removed(path: Path) -> Callable[[], object]:
    """The artifact is taken out of the store; gives what puts it back."""
    elsewhere = path.parent.parent.parent / path.name
    path.rename(elsewhere)
    return lambda: elsewhere.rename(path)


def damaged(path: Path) -> Callable[[], object]:
    """A file of the artifact is overwritten; gives what mends it."""
    file = path / "pipeline.skops"
    whole = file.read_bytes()
    file.write_bytes(b"gone")
    return lambda: file.write_bytes(whole)


def test_a_shadow_resumes_when_its_missing_artifact_is_back(
    shared: Server, packed_once: Packed
) -> None:
    """The artifact is removed from the store or damaged, and the processes are killed: the
    shadow is failing and says why. When the artifact is back, it scores the waiting rows.
    """
    path = install(shared, packed_once, "pass")
    tag = f"toy:{path.name}"
    with shadowing(shared, tag) as shadow:
        with load(shared, CONNECTIONS, rate=RATE) as seen:
            for harm in (removed, damaged):
                scored = shadow.status.scored
                until(lambda n=scored: shadow.status.scored > n, "it scores", 60)
                until(lambda: shadow.status.error is None, "nothing is wrong")
                mend = harm(path)
                try:
                    shadow.feed().kill()
                    until(lambda: path.name in (shadow.status.error or ""), "the reason is said")
                    assert shadow.status.state == "failing"
                    wait_for_more(seen, 20, "live answers on")
                    until(lambda: shadow.status.lagging > 20, "what it is to score waits")
                finally:
                    mend()
        shadow.check(seen)


def test_a_shadow_slower_than_traffic_catches_up(shared: Server, packed_once: Packed) -> None:
    """At 30 ms a row it falls behind: shown in rows and seconds, in status and ``/metrics``. What
    waits for it in the spool stays within its bound; the rest it reads in the table. Once there is
    less traffic it has soon scored every row."""
    tag = f"toy:{install(shared, packed_once, 'time.sleep(0.03 * len(X))').name}"
    with shadowing(shared, tag) as shadow:
        with load(shared, CONNECTIONS, rate=2 * RATE) as seen:
            until(lambda: shadow.status.lagging > 40, "it lags", 60)
            first = shadow.status
            until(lambda: is_overtaken(shadow), "requests are sealed that it has not read", 60)
            until(lambda: shadow.status.lagging > first.lagging + 40, "it lags more", 60)
            then = shadow.status
            assert then.behind_seconds > first.behind_seconds > 0
            assert metric(shared, "gnomon_shadow_rows", tag, 'state="lagging"') > 40
            assert metric(shared, "gnomon_shadow_behind_seconds", tag) > 0
            until(lambda: closed_bytes(shadow) <= SPOOL_BYTES, "the spool is within its bound")
        shadow.check(seen, seconds=150)
        until(lambda: metric(shared, "gnomon_shadow_behind_seconds", tag) == 0, "it is not behind")
        assert metric(shared, "gnomon_shadow_rows", tag, 'state="lagging"') == 0


def failures(server: Server, tag: str) -> list[dict[str, Any]]:
    """The rows on which a shadow failed."""
    columns = ["artifact", "outcome", "error", "input_x"]
    rows = InferenceLog(server.settings, "toy").table(columns=columns, role="shadow", artifact=tag)
    return [row for row in rows.to_pylist() if row["outcome"] != "scored"]


def stream(shadow: Shadow, name: str) -> Path:
    """The folder of a stream of the one slice."""
    status = shadow.control.status()
    return shadow.server.settings.spool_path / "toy" / str(status.slice) / name


def is_overtaken(shadow: Shadow) -> bool:
    """Whether a segment that it has not read is sealed and gone."""
    position = read_position(stream(shadow, shadow_stream(shadow.tag.partition(":")[2])))
    oldest = stream_segments(stream(shadow, REQUESTS))[0]
    return position is not None and oldest.sequence > position.sequence + 1


def closed_bytes(shadow: Shadow) -> int:
    """What the closed segments of the requests hold."""
    closed = stream_segments(stream(shadow, REQUESTS))[:-1]
    return sum(segment.path.stat().st_size for segment in closed if segment.path.exists())


def metric(server: Server, name: str, tag: str, label: str = "") -> float:
    """A figure of a shadow in ``/metrics``."""
    for line in httpx.get(f"{server.url}/metrics").text.splitlines():
        if line.startswith(f"{name}{{") and tag in line and label in line:
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"no {name} of {tag} in /metrics")
