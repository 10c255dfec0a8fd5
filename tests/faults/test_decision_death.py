"""Whoever decides is killed at every point of a decision: the history is whole, and the state is
that before the decision or that after it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gnomon import rollout
from gnomon.audit import export, verify
from gnomon.errors import GnomonError, RolloutError
from gnomon.rollout.history import History, RolloutState, open_history
from gnomon.service.client.clients import Client
from gnomon.settings import Settings
from gnomon.testing import Server, serving
from tests.faults.decider import decide
from tests.faults.tracing import needs_strace
from tests.forking import start_python
from tests.load import gateways, until
from tests.packing import SCRIPT, install, times, write_service
from tests.shadow.evidence import log_live, log_shadow

pytestmark = [pytest.mark.slow, needs_strace, pytest.mark.timeout(600)]

CALLS = "link,linkat,unlink,unlinkat,rename,renameat,renameat2"
"""What makes a written file visible or removes its temporary name: before it nothing is visible,
and after it everything."""

DECIDE = "import sys; from tests.faults.decider import main; main(*sys.argv[1:])"


class Scene(NamedTuple):
    """A storage root in which each decision is possible.

    Attributes:
        folder: holds the root and the store.
        tags: the artifacts: live before, live now, in its shadow with enough evidence, not used.
    """

    folder: Path
    tags: tuple[str, ...]

    @property
    def settings(self) -> Settings:
        return Settings(root=str(self.folder / "root"))

    def history(self) -> History:
        history = open_history(self.settings, "toy")
        history.check()
        return history

    def target(self, kind: str) -> str:
        earlier, _, shadow, spare = self.tags
        return {"rollback": earlier, "shadow_start": spare}.get(kind, shadow)


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory, packed_once: Callable[[str, str, str], Path]
) -> Scene:
    folder = tmp_path_factory.mktemp("scene")
    packed = [packed_once(times(factor), "toy", SCRIPT) for factor in (1.0, 2.0, 4.0, 8.0)]
    found = Scene(folder, tuple(install(one, folder / "bentoml") for one in packed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(folder / "bentoml"))
        first, live, shadow, _ = found.tags
        rollout.promote(found.settings, "toy", first)
        rollout.promote(found.settings, "toy", live, force=True)
        rollout.start_shadow(found.settings, "toy", shadow)
        log_live(found.settings, 100, artifact=live)
        log_shadow(found.settings, agreed=1_000, artifact=shadow, against=live, epoch=3)
    return found


@pytest.fixture
def store(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process and its children use the artifacts of the scene."""
    monkeypatch.setenv("BENTOML_HOME", str(scene.folder / "bentoml"))


def copied(scene: Scene, place: Path) -> Scene:
    """The scene again, in another folder."""
    shutil.copytree(scene.folder / "root", place / "root")
    return Scene(place, scene.tags)


@contextlib.contextmanager
def attached(pid: int, output: Path, *options: str) -> Iterator[None]:
    """Trace a running process until the block ends."""
    with subprocess.Popen(
        ["strace", "-f", "-y", "-o", str(output), *options, "-p", str(pid)],
        stderr=subprocess.PIPE, text=True,
    ) as tracer:  # fmt: skip
        try:
            assert tracer.stderr is not None
            line = tracer.stderr.readline()
            assert "attached" in line, line
            yield
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                tracer.wait(2)  # Until all is written; it ends with the processes that it traces.
            tracer.kill()


def run(scene: Scene, kind: str, *more: str) -> list[tuple[str, str]]:
    """Decide in a process that is traced; the calls of its main thread, by name and arguments."""
    output, go = scene.folder / "calls", scene.folder / "go"
    environment = {"GNOMON_ROOT": scene.settings.root, "BENTOML_HOME": os.environ["BENTOML_HOME"]}
    process = start_python(["-c", DECIDE, kind, scene.target(kind), str(go)], env=environment)
    with attached(process.pid, output, "-e", f"trace={CALLS}", *more):
        go.touch()
        process.wait(60)
    lines = re.findall(r"^(\d+) +(\w+)\((.*)$", output.read_text(errors="replace"), re.M)
    return [(name, arguments) for pid, name, arguments in lines if int(pid) == process.pid]


def points(scene: Scene, calls: list[tuple[str, str]]) -> Iterator[tuple[str, int]]:
    """The calls that change the storage root: the name, and the how many-th of that name it is."""
    seen: Counter[str] = Counter()
    for name, arguments in calls:
        seen[name] += 1
        if scene.settings.root in arguments:
            yield name, seen[name]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("kind", ["shadow_start", "shadow_stop", "promote", "rollback"])
def test_a_command_is_killed_at_each_call(scene: Scene, tmp_path: Path, kind: str) -> None:
    """Before each system call that changes the storage root. Then the decision can be taken, if it
    was not, and an audit of the history proves it."""
    whole = copied(scene, tmp_path / "whole")
    found = list(points(whole, run(whole, kind)))
    before, after = scene.history().state, whole.history().state
    assert (before.epoch, after.epoch) == (3, 4)
    assert {"link", "linkat"} & {name for name, _ in found}
    taken: Counter[bool] = Counter()
    for place, (name, number) in enumerate(found):
        one = copied(scene, tmp_path / str(place))
        run(one, kind, "-e", f"inject={name}:signal=KILL:when={number}")
        history = one.history()
        was_taken = history.state.epoch == after.epoch
        taken[was_taken] += 1
        assert history.state.live == (after if was_taken else before).live, (name, number)
        assert [*history.state.shadows] == [*(after if was_taken else before).shadows]
        if was_taken and kind != "rollback":
            with pytest.raises(RolloutError):
                decide(one.settings, kind, one.target(kind))
        elif not was_taken:
            decide(one.settings, kind, one.target(kind))
        report = verify(export(one.settings, "toy", one.folder / "audit.tar").path)
        assert report.verdict == "not_proven", report  # It is not signed; nothing failed.
        shutil.rmtree(one.folder)
    assert taken[True] > 1
    assert taken[False]


@pytest.fixture(scope="module")
def server(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves a copy of the scene."""
    place = tmp_path_factory.mktemp("served")
    copied(scene, place)
    write_service(place / "deployment")
    environment = {"BENTOML_HOME": str(scene.folder / "bentoml")}
    with serving(place / "deployment", place / "root", environment=environment) as running:
        yield running


def ask(client: Client, scene: Scene, kind: str) -> None:
    """Take a decision on a server."""
    tag = scene.target(kind)
    if kind == "shadow_start":
        client.start_shadow(tag)
    elif kind == "shadow_stop":
        client.stop_shadow(tag)
    elif kind == "promote":
        client.promote(tag, force=True)
    else:
        client.rollback()


POINTS = {
    "before the event is there": ("link,linkat", "rollout/toy/{epoch:06d}.json"),
    "before its folder is synced and its end recorded": ("fsync", "rollout/toy"),
    "before its recorded end is synced": ("fsync", "heads"),
}
"""The system calls at which a gateway is killed, and the file or folder that they are about."""


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("point", POINTS)
def test_a_server_is_killed_at_each_transition(
    server: Server, scene: Scene, tmp_path: Path, point: str
) -> None:
    """Its gateway is killed while it records each kind of decision; the next gateway answers with
    the artifact that the history says, and takes the next decision."""
    served = Scene(Path(server.settings.root).parent, scene.tags)
    calls, file = POINTS[point]
    killed = 0
    for kind in ("shadow_stop", "shadow_start", "promote", "rollback"):
        before = served.history()
        if not is_possible(before.state, kind, scene.target(kind)):
            continue
        path = Path(server.settings.root) / file.format(epoch=before.state.epoch)
        options = ["-P", str(path), "-e", f"trace={calls}", "-e", f"inject={calls}:signal=KILL"]
        until(lambda: len(gateways(server)) == 1, "a gateway runs")
        [gateway] = gateways(server)
        with server.client() as client:
            with attached(gateway.pid, tmp_path / kind, *options):
                try:
                    ask(client, scene, kind)
                except GnomonError:
                    killed += 1
            follows(served, client)
        after = served.history()
        assert after.state.epoch - before.state.epoch == (point != "before the event is there")
    assert killed > 1


def is_possible(state: RolloutState, kind: str, tag: str) -> bool:
    """Whether the tests before left a state from which this decision follows."""
    if kind == "rollback":
        return state.previous is not None
    if kind == "promote":
        return state.live != tag
    return (tag in state.shadows) == (kind == "shadow_stop")


def follows(scene: Scene, client: Client) -> None:
    """Wait until the server runs what the history says, and answers with it."""
    factors = dict(zip(scene.tags, (1.0, 2.0, 4.0, 8.0), strict=True))

    def is_followed() -> bool:
        try:
            state, status = scene.history().state, client.status()
            answer = client.predict({"x": 3.0, "id": "e3"})
        except GnomonError:
            return False
        return (
            status.epoch == state.epoch
            and status.live is not None
            and status.live.artifact == state.live
            and {shadow.artifact for shadow in status.shadows} == {*state.shadows}
            and answer.prediction == 3.0 * factors[state.live]
        )

    until(is_followed, "the server runs what the history says")
