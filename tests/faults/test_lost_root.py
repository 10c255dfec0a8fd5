"""The disk of the storage root is lost, or not mounted; the spool is on another one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gnomon import rollout
from gnomon.errors import HistoryDamaged, NotReady
from gnomon.log import InferenceLog
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from gnomon.testing import Server, serving
from tests.cli.running import Shell
from tests.load import until
from tests.packing import SCRIPT, install, times, write_service

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, packed_once: Callable[[str, str, str], Path]
) -> Path:
    """Two artifacts; the older one is live. The root is a folder of a disk of its own."""
    place = tmp_path_factory.mktemp("lost")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(place / "bentoml"))
        old, _ = (
            install(packed_once(times(factor), "toy", SCRIPT), place / "bentoml")
            for factor in (1, 2)
        )
        rollout.promote(Settings(root=str(place / "disk/root")), "toy", old)
    write_service(place / "deployment")
    return place


def environment(place: Path) -> dict[str, str]:
    return {
        "BENTOML_HOME": str(place / "bentoml"),
        "GNOMON_ROOT": str(place / "disk/root"),
        "GNOMON_SPOOL": str(place / "spool"),
        "GNOMON_SEGMENT_SECONDS": "0.5",
    }


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Server]:
    with serving(place / "deployment", place, environment=environment(place)) as running:
        yield running


def test_a_lost_root_is_reported_and_no_artifact_is_promoted(place: Path, server: Server) -> None:
    """The running server answers and reports what is missing.

    A starting one does not promote the newest artifact, as it would without a history. When the
    root is back, everything is there.
    """
    shell = Shell(place, environment(place))
    log = InferenceLog(server.settings, "toy")
    with server.client() as client:
        for _ in range(3):
            client.predict([{"x": 3.0, "id": "a"}])
        until(lambda: (place / "disk/root/log/toy").is_dir(), "something is sealed")
        until(lambda: bool(balance(log).sealed), "and noted")
        (place / "disk").rename(place / "gone")

        def status_error() -> str:
            return client.status().error or ""

        assert client.predict([{"x": 3.0, "id": "a"}]).rows[0].prediction == 3.0
        with pytest.raises(HistoryDamaged):
            client.history()
        assert "000000.json" in status_error()
        assert "rows of" in (message := shell("log", "accounts", expect=2).err.replace("\n", " "))
        assert "GNOMON_ROOT" in message
    assert server.stop() == 0
    shutil.rmtree(place / "disk", ignore_errors=True)
    message = shell("history", expect=2).err.replace("\n", " ")
    assert "rollout.json says that there was 1;" in message
    with (
        pytest.raises(NotReady, match=r"ends after 0 decisions.*rollout\.json.*mounted"),
        serving(place / "deployment", place, environment=environment(place), wait_seconds=12.0),
    ):
        pass
    assert not (place / "disk/root/rollout").exists()
    shutil.rmtree(place / "disk", ignore_errors=True)
    (place / "gone").rename(place / "disk")
    with serving(place / "deployment", place, environment=environment(place)) as again:
        with again.client() as client:
            assert client.predict([{"x": 3.0, "id": "a"}]).rows[0].prediction == 3.0
            until(lambda: client.status().error is None, "nothing is wrong any more")
        assert balance(log).balanced
