"""A share of live's rows is scored twice all the time: it follows the rollout, survives deaths, and
its accounts balance.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from gnomon import rollout
from gnomon.errors import RolloutError
from gnomon.log import InferenceLog
from gnomon.policy import Policy
from gnomon.service.client.clients import Client
from gnomon.service.status.slice_status import ShadowStatus
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from gnomon.testing import Server, serving
from tests.conftest import Deploy
from tests.faults.gateways import kill_all_gateways
from tests.load import feeds, load, until
from tests.packing import Pack, times

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NOISY = "X = X.assign(x=[x * (1 + (time.time_ns() // 1000 % 5 == 0)) for x in X['x']])"
"""About every fifth answer is twice as large, and not the next time."""

POLICY = """
[sampling]
noise_floor = 0.5
[gates]
min_rows = 1
max_disagreement = 0.2
max_latency_ratio = "off"
"""
RATE = 50.0


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return path


@contextmanager
def served(deploy: Deploy, policy: Path, root: Path, live: str) -> Iterator[Server]:
    rollout.promote(Settings(root=str(root)), "toy", live)
    with serving(deploy(f'"toy", policy="{policy}"'), root) as server:
        yield server


def floor(client: Client) -> ShadowStatus:
    """Return the noise floor, which must be measured."""
    found = client.status().noise_floor
    assert found is not None
    return found


def floor_of(client: Client) -> str | None:
    found = client.status().noise_floor
    return None if found is None else found.artifact


def feed_of(server: Server, artifact: str) -> psutil.Process:
    """Return the process that follows the requests for an artifact."""
    (feed,) = [process for process in feeds(server) if artifact in process.cmdline()]
    return feed


def test_live_is_scored_twice_while_a_shadow_is_judged(
    deploy: Deploy, policy: Path, pack: Pack, tmp_path: Path
) -> None:
    """It begins and ends with the shadows, and follows a promotion and a rollback. Its feed and the
    gateway are killed under load: no count is lost, and at the end every row has one outcome.
    """
    live, next_one, third = pack(times(2, NOISY)), pack(times(2)), pack(times(3))
    root = tmp_path / "root"
    with served(deploy, policy, root, live) as server, server.client() as client:
        assert client.status().noise_floor is None
        with load(server, 3, rate=RATE):
            client.start_shadow(next_one)
            client.start_shadow(third)
            until(lambda: floor_of(client) == live, "live is scored twice")
            until(lambda: floor(client).compared > 50, "rows are compared", 90)
            assert [shadow.artifact for shadow in client.status().shadows] == [next_one, third]
            assert floor(client).fraction == 0.5
            assert floor(client).disagreed > 0
            with pytest.raises(RolloutError, match="noise_floor = 0"):
                client.stop_shadow(live)

            client.start_shadow(live, same=True)
            until(lambda: client.status().noise_floor is None, "a person's run takes its place")
            until(lambda: client.status().shadows[-1].compared > 20, "that one scores", 90)
            client.stop_shadow(live)
            until(lambda: floor_of(client) == live, "it begins again")
            until(lambda: floor(client).compared > 20, "rows are compared again", 90)

            before = floor(client).scored
            feed_of(server, live).kill()
            until(lambda: floor(client).scored > before + 20, "its next feed goes on", 90)
            before = floor(client).eligible
            kill_all_gateways(server)
            until(lambda: floor_of(client) == live, "the next gateway measures it")
            until(lambda: floor(client).scored > before, "it goes on where it was", 90)

            client.promote(next_one, force=True)
            until(lambda: floor_of(client) == next_one, "it follows the promotion")
            until(lambda: floor(client).compared > 20, "the new live artifact is compared", 90)
            assert floor(client).disagreed == 0
            client.rollback()
            until(lambda: floor_of(client) == live, "it follows the rollback")
            until(lambda: floor(client).compared > 5, "live is compared again", 90)
        client.stop_shadow(third)
        until(lambda: floor_of(client) is None, "it ends with the last shadow")
        until(lambda: not feeds(server), "no feed is left")
        accounts = balance(InferenceLog(server.settings, "toy"))
        assert accounts.balanced, accounts.explain()
        assert {shadow.artifact for shadow in accounts.shadows} == {live, next_one, third}
        kinds = [event.kind for event in client.history()]
        assert kinds == [
            "promote", "shadow_start", "shadow_start", "shadow_start", "shadow_stop", "promote",
            "rollback", "shadow_stop",
        ]  # fmt: skip


def test_a_shadow_that_is_no_worse_than_live_with_itself_passes(
    deploy: Deploy, policy: Path, pack: Pack, tmp_path: Path
) -> None:
    """About a third of live's rows disagree with itself, and as many with a shadow like it: without
    the floor that would fail.
    """
    live, like_live = pack(times(2, NOISY)), pack(times(2, NOISY + "  # again"))
    root = tmp_path / "root"
    with served(deploy, policy, root, live) as server, server.client() as client:
        client.start_shadow(like_live)
        until(lambda: floor_of(client) == live, "live is scored twice")
        for n in range(2_000):
            client.predict({"x": float(n % 50 + 1), "id": f"online{n}"})
        until(lambda: client.status().shadows[0].scored == 2_000, "the shadow scores all", 90)
        until(lambda: floor(client).eligible > 800, "half of the entities are sampled")
        until(lambda: floor(client).lagging == 0, "they are scored", 90)
    checked = rollout.check(Settings(root=str(root)), "toy", like_live, Policy.read(policy))
    (gate,) = [gate for gate in checked.gates if gate.name == "disagreement"]
    assert gate.verdict == "pass", gate.says
    assert gate.count is not None
    assert gate.count > 0.2 * 2_000, "without the floor it would be above the limit"
    assert "beyond the noise floor of" in gate.says


def test_the_policy_is_followed_while_the_server_runs(
    deploy: Deploy, policy: Path, pack: Pack, tmp_path: Path
) -> None:
    """A share that is given later is measured without a restart, and 0 ends it; the rows between
    are scored when it is given again, so the accounts balance.
    """
    live, next_one = pack(times(2)), pack(times(3))
    policy.write_text(POLICY.replace("noise_floor = 0.5", ""))
    root = tmp_path / "root"
    with served(deploy, policy, root, live) as server, server.client() as client:
        client.start_shadow(next_one)
        assert client.status().noise_floor is None
        for share in ("0.5", "0", "0.5"):
            policy.write_text(POLICY.replace("0.5", share))
            expected = None if share == "0" else live
            until(lambda expected=expected: floor_of(client) == expected, "it is as it should be")
            client.predict([{"x": 1.0, "id": f"{share}-{n}"} for n in range(100)])
        until(lambda: floor(client).eligible > 100, "those of all times are eligible", 90)
        until(lambda: floor(client).lagging == 0, "they are scored", 90)
        accounts = balance(InferenceLog(server.settings, "toy"))
    assert accounts.balanced, accounts.explain()
