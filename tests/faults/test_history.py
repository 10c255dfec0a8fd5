"""The rollout history is damaged under a running server, and under one that starts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gnomon import rollout
from gnomon.errors import GnomonError, HistoryDamaged, NewerFormat, NotReady
from gnomon.settings import Settings
from gnomon.testing import Server, serving
from tests.cli.running import Shell
from tests.load import until
from tests.packing import SCRIPT, install, times, write_service

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, packed_once: Callable[[str, str, str], Path]
) -> Path:
    """Three artifacts, promoted one after the other."""
    place = tmp_path_factory.mktemp("history")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(place / "bentoml"))
        for factor in (1, 100, 2):
            tag = install(packed_once(times(factor), "toy", SCRIPT), place / "bentoml")
            rollout.promote(Settings(root=str(place / "root")), "toy", tag, force=True)
    write_service(place / "deployment")
    return place


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Server]:
    """Serves the third: x times 2."""
    environment = {"BENTOML_HOME": str(place / "bentoml")}
    with serving(place / "deployment", place / "root", environment=environment) as running:
        yield running


@pytest.fixture
def events(place: Path) -> Iterator[Path]:
    """The folder of events; it is as before when the test ends."""
    folder, backup = place / "root/rollout/toy", place / "kept"
    shutil.copytree(folder, backup)
    yield folder
    shutil.rmtree(folder)
    backup.rename(folder)


def delete_middle_event(events: Path) -> str:
    (events / "000001.json").unlink()
    return "000001.json is missing; after it there are 000002.json"


def delete_last_event(events: Path) -> str:
    (events / "000002.json").unlink()
    return "000002.json is missing since it was read"


def replace_last_event(events: Path) -> str:
    shutil.copyfile(events / "000001.json", events / "000002.json")
    return "000002.json was changed or replaced"


def add_empty_event(events: Path) -> str:
    (events / "000003.json").write_bytes(b"")
    return "000003.json"


def add_newer_event(events: Path) -> str:
    (events / "000003.json").write_bytes(b'{"format": 4, "kind": "canary"}')
    return "this rollout event has format 4"


def delete_all_events(events: Path) -> str:
    for path in events.iterdir():
        path.unlink()
    return "000002.json is missing since it was read"


@pytest.mark.parametrize(
    "damage",
    [
        delete_middle_event,
        delete_last_event,
        replace_last_event,
        add_empty_event,
        add_newer_event,
        delete_all_events,
    ],
)
def test_a_running_server_keeps_what_is_live_and_decides_nothing(
    server: Server, place: Path, events: Path, damage: Callable[[Path], str]
) -> None:
    """It answers, reports what is wrong, refuses decisions, and continues once the history is
    restored.
    """
    with server.client() as client:
        until(lambda: client.status().error is None, "the history is whole")
        before = client.status()
        message = damage(events)
        left = sorted(events.iterdir())
        with pytest.raises(HistoryDamaged) as caught:
            client.history()
        assert message in str(caught.value)
        status = client.status()
        assert status.ready
        assert status.error is not None
        assert message in status.error
        assert status.live == before.live
        assert client.predict([{"x": 3.0, "id": "a"}]).rows[0].prediction == 6.0
        for decide in (client.rollback, lambda: client.promote(before.previous or "", force=True)):
            with pytest.raises((HistoryDamaged, NewerFormat)) as refused:
                decide()
            assert ".json" in str(refused.value)
        assert sorted(events.iterdir()) == left
        shell = Shell(place, {"BENTOML_HOME": str(place / "bentoml"), "GNOMON_ROOT": "root"})
        result = shell("history", expect=2)
        assert "live" in result.out
        assert message in result.err.replace("\n", " ")
        assert message in shell("status").out
        for path in events.iterdir():
            path.unlink()
        shutil.copytree(place / "kept", events, dirs_exist_ok=True)
        with pytest.raises(GnomonError, match="is live already"):
            client.promote(before.live.artifact if before.live else "", force=True)
        assert len(client.history()) == 3


def test_a_starting_server_does_not_serve_an_older_rollout(place: Path, tmp_path: Path) -> None:
    """Without the last events it would serve an older artifact, so it refuses and names the
    missing ones.
    """
    root = tmp_path / "root"
    for folder in ("rollout", "heads"):
        shutil.copytree(place / "root" / folder, root / folder)
    for number in (1, 2):
        (root / f"rollout/toy/{number:06d}.json").unlink()
    environment = {"BENTOML_HOME": str(place / "bentoml")}
    with (
        pytest.raises(NotReady) as caught,
        serving(place / "deployment", root, environment=environment, wait_seconds=12.0),
    ):
        pass
    message = "ends after 1 decision, but heads/toy.json says that there were 3; "
    assert f"{message}missing: 000001.json, 000002.json" in str(caught.value)
    assert [path.name for path in (root / "rollout/toy").iterdir()] == ["000000.json"]
    result = Shell(place, {"GNOMON_ROOT": str(root)})("history", expect=2)
    assert "live" in result.out
    assert message in result.err.replace("\n", " ")
