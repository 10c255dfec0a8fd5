"""A served deployment that decides by its policy: it stops, promotes, watches and rolls back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest

from gnomon import rollout
from gnomon.rollout.history import RolloutEvent
from gnomon.service.client.clients import Client
from gnomon.service.slice.rollout_automation import first_slice
from gnomon.service.status.automation_status import AutomationStatus
from gnomon.settings import Settings
from gnomon.shadow.heartbeats import Heartbeat
from gnomon.testing import serving
from tests.conftest import Deploy
from tests.load import record, until
from tests.packing import HALF_MORE, Pack, times

pytestmark = pytest.mark.slow

GATES = """
[gates]
min_rows = 200
max_latency_ratio = "off"
max_disagreement = {disagreement}
max_failed = 0.05
min_coverage = 0.5
[rollout]
mode = "{mode}"
check_seconds = 1
{more}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """The policy file, which a test may write again while the server runs."""
    return tmp_path / "policy.toml"


def write(policy: Path, mode: str, more: str = "", disagreement: float = 0.1) -> None:
    policy.write_text(GATES.format(mode=mode, more=more, disagreement=disagreement))


def test_a_slice_that_cannot_follow_does_not_keep_the_others_from_deciding() -> None:
    """It has an error if it cannot load the live artifact: another slice rolls that back."""
    now = datetime.now(UTC)
    beats = [
        Heartbeat(model="toy", slice=name, host="here", pid=1, started=now, error=error)
        for name, error in (("a", "cannot load"), ("b", None), ("c", None))
    ]
    assert first_slice(beats) == "b"
    assert first_slice(beats[:1]) is None


class Deployed(Protocol):
    """Serves an artifact under the policy file until the block ends."""

    def __call__(self, live: str, **environment: str) -> AbstractContextManager[Client]: ...


@pytest.fixture
def deployed(deploy: Deploy, tmp_path: Path, policy: Path) -> Deployed:
    @contextmanager
    def served(live: str, **environment: str) -> Iterator[Client]:
        root = tmp_path / "root"
        rollout.promote(Settings(root=str(root)), "toy", live)
        folder = deploy(f'"toy", policy="{policy}"')
        with (
            serving(folder, root, environment=environment) as server,
            server.client() as client,
        ):
            yield client

    return served


def send(client: Client, rows: int, kind: str = "e") -> None:
    """Send rows of as many entities, each in a request."""
    for number in range(rows):
        client.predict({**record(number), "id": f"{kind}{number}"})


def shown(client: Client) -> AutomationStatus:
    status = client.status().automation
    assert status is not None
    return status


def live_tag(client: Client) -> str | None:
    live = client.status().live
    return None if live is None else live.artifact


def automatic(client: Client) -> list[RolloutEvent]:
    return [event for event in client.history() if event.automatic]


def test_it_stops_a_shadow_whose_gate_fails(deployed: Deployed, policy: Path, pack: Pack) -> None:
    """The event says which gate failed and keeps the evidence; a person may start it again."""
    write(policy, "auto-abort")
    live, bad = pack(times(1)), pack(times(2))
    with deployed(live, GNOMON_SLICES="2") as client:
        client.start_shadow(bad)
        send(client, 400)
        until(lambda: bool(automatic(client)), "the shadow is stopped", 120)
        (event,) = automatic(client)
        assert (event.kind, event.artifact, event.by) == ("shadow_stop", bad, "gnomon")
        assert event.why is not None
        assert event.why.startswith("gate disagreement failed")
        assert "disagreement" in {gate["name"] for gate in event.gates}
        client.start_shadow(bad)
        send(client, 400)
        until(lambda: len(automatic(client)) == 2, "it is stopped again", 120)
        assert [e.kind for e in client.history()][1:] == ["shadow_start", "shadow_stop"] * 2


def test_it_promotes_watches_and_rolls_back(deployed: Deployed, policy: Path, pack: Pack) -> None:
    """The replaced artifact goes on as the shadow; once disagreement is proven, it is live again,
    and what was rolled back is neither restarted nor promoted by the server."""
    write(policy, "auto-promote", "watch_hours = 1", disagreement=1.0)
    live, good = pack(times(1)), pack(HALF_MORE)
    with deployed(live) as client:
        client.start_shadow(good)
        assert automatic(client) == []
        send(client, 600)
        until(lambda: bool(automatic(client)), "it is promoted", 120)
        (promoted,) = automatic(client)
        assert (promoted.kind, promoted.artifact, promoted.forced) == ("promote", good, False)
        assert {gate["verdict"] for gate in promoted.gates} == {"pass"}
        until(lambda: len(client.status().shadows) == 1, "the reverse shadow runs", 60)
        (shadow,) = client.status().shadows
        assert (shadow.artifact, shadow.reverse) == (live, True)
        until(lambda: shown(client).watch is not None, "the status shows it", 60)

        write(policy, "auto-promote", "watch_hours = 1", disagreement=0.1)
        send(client, 600)
        until(lambda: len(automatic(client)) == 2, "it is rolled back", 120)
        undone = automatic(client)[-1]
        assert (undone.kind, undone.artifact) == ("rollback", live)
        assert undone.why is not None
        assert undone.why.startswith("gate disagreement failed")
        assert client.status().shadows == ()

        write(policy, "auto-promote", disagreement=1.0)
        client.start_shadow(good)
        send(client, 600)
        until(
            lambda: "only a person" in (shown(client).says or ""),
            "it is left to a person", 120,
        )  # fmt: skip
        assert live_tag(client) == live
        assert client.promote(good).automatic is False


def test_the_reverse_shadow_ends_by_itself(deployed: Deployed, policy: Path, pack: Pack) -> None:
    """At the end of the window, also in the mode that otherwise decides nothing."""
    write(policy, "advise", "watch_hours = 0.001")
    live, new = pack(times(1)), pack(HALF_MORE)
    with deployed(live) as client:
        client.promote(new, force=True)
        until(lambda: bool(automatic(client)), "the reverse shadow is stopped", 60)
        (event,) = automatic(client)
        assert (event.kind, event.artifact) == ("shadow_stop", live)
        assert live_tag(client) == new
