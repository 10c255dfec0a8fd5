"""A whole server is killed just after a decision that starts a shadow: no row is missing there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from gnomon import rollout
from gnomon.log import InferenceLog
from gnomon.service.status.slice_status import ShadowStatus
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from gnomon.testing import Server, serving
from tests.conftest import Deploy
from tests.load import everything, until
from tests.packing import Pack, times

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

POLICY = """
[sampling]
noise_floor = 1.0
[rollout]
watch_hours = 24
reverse_shadow = true
"""


def answer(server: Server, rows: int) -> None:
    """Have rows answered, each in a request of its own with others."""
    with server.client() as client:
        client.predict([{"x": float(n), "id": f"e{n}"} for n in range(rows)])


def kill_tree(server: Server) -> None:
    """SIGKILL to all processes of a server."""
    everyone = everything(server)
    for process in everyone:
        process.kill()
    psutil.wait_procs(everyone, timeout=10)


def shadows_of(server: Server) -> dict[str, ShadowStatus]:
    """Its shadows and its noise floor, by tag."""
    with server.client() as client:
        status = client.status()
    found = [*status.shadows, *([] if status.noise_floor is None else [status.noise_floor])]
    return {shadow.artifact: shadow for shadow in found}


def test_rows_answered_before_a_feed_ran_are_scored_after_the_server_was_killed(
    deploy: Deploy, pack: Pack, tmp_path: Path
) -> None:
    """The tree is killed right after the first rows since the start of a shadow with its noise
    floor, and again right after a promotion with a reverse shadow.
    """
    live, candidate, root = pack(times(2)), pack(times(3)), tmp_path / "root"
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    rollout.promote(Settings(root=str(root)), "toy", live)

    @contextmanager
    def served() -> Iterator[Server]:
        with serving(deploy(f'"toy", policy="{policy}"'), root) as server:
            yield server

    def scored(server: Server, rows: dict[str, int]) -> None:
        def are_scored() -> bool:
            found = shadows_of(server)
            return all(tag in found and found[tag].scored >= n for tag, n in rows.items())

        answer(server, 20)
        until(are_scored, f"{rows} are scored", 120)
        found = shadows_of(server)
        assert {tag: (found[tag].eligible, found[tag].lagging) for tag in rows} == {
            tag: (n, 0) for tag, n in rows.items()
        }

    with served() as server:
        with server.client() as client:
            client.start_shadow(candidate)
        answer(server, 30)
        kill_tree(server)
    accounts = balance(InferenceLog(Settings(root=str(root)), "toy"))
    assert {books.artifact: books.eligible for books in accounts.shadows} == {
        live: 30, candidate: 30
    }  # fmt: skip
    with served() as server:
        scored(server, {live: 50, candidate: 50})
        with server.client() as client:
            client.promote(candidate, force=True)
        answer(server, 30)
        kill_tree(server)
    with served() as server:
        scored(server, {live: 50})
    accounts = balance(InferenceLog(Settings(root=str(root)), "toy"))
    assert accounts.balanced, accounts.explain()
