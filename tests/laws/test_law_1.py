"""Law 1: live never waits for shadow."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.load import feeds, load, until
from tests.packing import Pack, times

MISCHIEF = {
    "hung": "time.sleep(3600)",
    "crashing": "os.kill(os.getpid(), signal.SIGKILL)",
    "slow": "time.sleep(0.5)",
    "leaking": "self.leak_ = getattr(self, 'leak_', []) + [bytearray(1 << 20)]",
}


@pytest.mark.parametrize("mischief", MISCHIEF.values(), ids=MISCHIEF)
def test_a_broken_shadow_changes_no_live_answer(mischief: str, pack: Pack, serve: Serve) -> None:
    """Beside a shadow that hangs, dies, dawdles or leaks on every row, live answers every one."""
    live, shadow = pack(times(2)), pack(times(3, mischief))
    with serve(live) as server, server.client() as control:
        with load(server) as alone:
            until(lambda: len(alone.acknowledged) > 200, "requests without a shadow")
        control.start_shadow(shadow)
        until(lambda: bool(feeds(server)), "the feed starts")
        with load(server) as shadowed:
            until(lambda: len(shadowed.acknowledged) > 400, "requests beside a broken shadow")
        books = control.status().books
    assert shadowed.lost == 0
    assert shadowed.refused == []
    assert books.answered == books.received
    assert all(answer["artifact"] == live for answer in shadowed.acknowledged.values())
    # Two busy cores are noisy; an answer that waited for the shadow would take seconds.
    assert statistics.median(shadowed.seconds) < 10 * statistics.median(alone.seconds)


def test_an_absent_shadow_changes_no_live_answer(pack: Pack, serve: Serve, own_home: Path) -> None:
    """A shadow whose artifact is damaged is reported as failing; live goes on."""
    live, shadow = pack(times(2)), pack(times(3))
    with serve(live) as server, server.client() as control:
        control.start_shadow(shadow)
        until(lambda: bool(feeds(server)), "the feed starts")
        (own_home / "models" / shadow.replace(":", "/") / "pipeline.skops").write_bytes(b"gone")
        for feed in feeds(server):
            feed.kill()
        until(lambda: control.status().shadows[0].state == "failing", "the failure is reported")
        assert control.predict({"x": 4.0, "id": "a"}).prediction == 8.0
