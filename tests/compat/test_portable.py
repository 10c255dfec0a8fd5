"""A deployment without any call that only Linux has: ``GNOMON_PORTABLE=1``, as on macOS.

It packs, serves, shadows, compares, replays and diagnoses, loses nothing when a process is killed,
and leaves no process behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest

from gnomon import rollout
from gnomon.errors import PredictionFailed
from gnomon.log import InferenceLog
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from gnomon.testing import Server, serving
from tests.cli.running import Shell
from tests.fork_server import PortablePopen
from tests.forking import fork_children
from tests.load import everything, gateways, load, until, wait_for_more, workers
from tests.packing import Pack, times, write_service

pytestmark = pytest.mark.slow

PORTABLE = {"GNOMON_PORTABLE": "1"}


@pytest.fixture(autouse=True)
def forked_portable_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forked from a process that has imported Gnomon in the portable way."""
    fork_children(monkeypatch, PortablePopen)


@pytest.fixture
def server(
    pack: Pack, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """A server of a toy with a shadow, all of it in the portable way."""
    monkeypatch.setenv("GNOMON_PORTABLE", "1")
    live, shadow = pack(times(1)), pack(times(3))
    root, folder = tmp_path / "root", tmp_path / "deployment"
    write_service(folder)
    rollout.promote(Settings(root=str(root)), "toy", live)
    environment = {"BENTOML_HOME": str(own_home), **PORTABLE, "GNOMON_DEADLINE": "5"}
    with serving(folder, root, environment=environment, wait_seconds=120) as running:
        with running.client() as client:
            client.start_shadow(shadow)
        yield running


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.timeout(600)
def test_it_serves_proves_and_survives(server: Server, own_home: Path, tmp_path: Path) -> None:
    """In one server, because a start takes long: it serves, its answers are proven, it loses
    nothing when processes are killed, and it leaves no process behind.
    """
    served_shadowed_and_proven(server, own_home, tmp_path)
    nothing_acknowledged_is_lost_and_nobody_is_left(server)


def served_shadowed_and_proven(server: Server, own_home: Path, tmp_path: Path) -> None:
    """Good rows, a row that raises, a row that kills its worker; then the commands."""
    with server.client() as client:
        answers = [client.predict({"x": float(n), "id": f"e{n}"}) for n in range(1, 31)]
        assert [answer.prediction for answer in answers] == [float(n) for n in range(1, 31)]
        for value in (-1.0, -666.0):
            with pytest.raises(PredictionFailed):
                client.predict({"x": value, "id": "bad"})
        assert client.predict({"x": 5.0, "id": "after"}).prediction == 5.0
        until(
            lambda: client.status().shadows[0].scored == 31,
            "the shadow scored what was answered",
            120,
        )
    shell = Shell(
        tmp_path,
        {
            "GNOMON_ROOT": server.settings.root,
            "BENTOML_HOME": str(own_home),
            "GNOMON_URL": server.url,
            **PORTABLE,
        },
    )
    table = tmp_path / "offline.csv"
    numbers = range(1, 31)
    pd.DataFrame(
        {"id": [f"e{n}" for n in numbers], "prediction": [7.0 * n for n in numbers]}
    ).to_csv(table, index=False)
    assert shell("replay", "toy", "--json").json["verdict"] == "ok"
    compared = shell("compare", "toy", "--table", str(table), "--on", "id", "--json", expect=1)
    assert compared.json["verdict"] == "diverged"
    diagnosis = shell("diagnose", "toy", "--table", str(table), "--on", "id", "--json", expect=1)
    assert diagnosis.json["diagnosis"]["sentence"]
    assert shell("log", "accounts", "--json").json["balanced"] is True


def nothing_acknowledged_is_lost_and_nobody_is_left(server: Server) -> None:
    """The gateway and its workers are killed under load; then the server is stopped."""
    with load(server, connections=4) as seen:
        wait_for_more(seen, 20, "requests are answered", 120)
        for process in workers(server):
            process.kill()
        wait_for_more(seen, 20, "new workers answer", 120)
        (gateway,) = gateways(server)
        children = gateway.children(recursive=True)
        gateway.kill()
        _, alive = psutil.wait_procs(children, timeout=30)
        assert [_command(process) for process in alive] == []
        wait_for_more(seen, 20, "the next gateway answers", 120)
    everyone = everything(server)
    assert server.stop(60) == 0
    _, alive = psutil.wait_procs(everyone, timeout=30)
    assert [_command(process) for process in alive] == []
    log = InferenceLog(server.settings, "toy")
    logged = set(log.table(columns=["request_id"]).column("request_id").to_pylist())
    assert set(seen.acknowledged) <= logged
    assert balance(log).balanced
