"""Whoever decides is killed at every point of a decision: the history is whole, and the state is
that before the decision or that after it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gnomon import rollout
from gnomon.audit import export, verify
from gnomon.errors import GnomonError, RolloutError
from gnomon.rollout.history import History, open_history
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


def attach(pid: int, output: Path, *more: str) -> subprocess.Popen[str]:
    """Trace a running process; it is traced when this returns."""
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", "-o", str(output), *more, "-p", str(pid)],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert tracer.stderr is not None
    line = tracer.stderr.readline()
    assert "attached" in line, line
    return tracer


def run(scene: Scene, kind: str, *more: str) -> list[tuple[str, str]]:
    """Decide in a process that is traced; the calls of its main thread, by name and arguments."""
    output, go = scene.folder / "calls", scene.folder / "go"
    environment = {"GNOMON_ROOT": scene.settings.root, "BENTOML_HOME": os.environ["BENTOML_HOME"]}
    process = start_python(["-c", DECIDE, kind, scene.target(kind), str(go)], env=environment)
    tracer = attach(process.pid, output, "-e", f"trace={CALLS}", *more)
    go.touch()
    process.wait(60)
    tracer.communicate(timeout=60)
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


EVENT_CALLS = ("link", "unlink", "fsync of the folder", "rename of the recorded end")


def injection(root: Path, call: str, number: int) -> list[str]:
    """The options that kill at a call for the event: heartbeats do not link or unlink."""
    if call == "fsync of the folder":
        return ["-P", str(root / "rollout/toy"), "-e", "trace=fsync", "-e",
                f"inject=fsync:signal=KILL:when={number}"]  # fmt: skip
    if call == "rename of the recorded end":
        names = "rename,renameat,renameat2"
        return ["-P", str(root / "heads/toy.json"), "-e", f"trace={names}", "-e",
                f"inject={names}:signal=KILL:when={number}"]  # fmt: skip
    names = f"{call},{call}at"
    return ["-e", f"trace={names}", "-e", f"inject={names}:signal=KILL:when={number}"]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("call", EVENT_CALLS)
def test_a_server_is_killed_at_each_transition(
    server: Server, scene: Scene, tmp_path: Path, call: str
) -> None:
    """Its gateway is killed while it records each kind of decision; the next gateway answers with
    the artifact that the history says, and takes the next decision."""
    root = Path(server.settings.root)
    killed = 0
    for kind in ("shadow_stop", "shadow_start", "promote", "rollback", "shadow_stop"):
        scene_here = Scene(root.parent, scene.tags)
        before = scene_here.history()
        possible = {
            "shadow_start": scene.target("shadow_start") not in before.state.shadows,
            "shadow_stop": scene.target("shadow_stop") in before.state.shadows,
            "promote": scene.target("promote") != before.state.live,
            "rollback": before.state.previous is not None,
        }[kind]
        if not possible:
            continue
        until(lambda: len(gateways(server)) == 1, "a gateway runs")
        [gateway] = gateways(server)
        tracer = attach(gateway.pid, tmp_path / kind, *injection(root, call, 1))
        with server.client(timeout=60) as client:
            try:
                ask(client, scene, kind)
            except GnomonError:
                killed += 1
            tracer.kill()
            tracer.communicate(timeout=30)
            _follows(server, scene_here, client)
        after = scene_here.history()
        assert after.state.epoch - before.state.epoch in (0, 1)
        if after.state.epoch > before.state.epoch:
            assert after.events[-1].kind == kind
    assert killed > 1


def _follows(server: Server, scene: Scene, client: Client) -> None:
    """Wait until the server runs what the history says, and answers with it."""
    factors = dict(zip(scene.tags, (1.0, 2.0, 4.0, 8.0), strict=True))

    def follows() -> bool:
        try:
            state, status = scene.history().state, client.status()
            answer = client.predict({"x": 3.0, "id": "e3"})
        except GnomonError:
            return False
        live = state.live or ""
        return (
            status.epoch == state.epoch
            and status.live is not None
            and status.live.artifact == live
            and {shadow.artifact for shadow in status.shadows} == {*state.shadows}
            and answer.prediction == 3.0 * factors[live]
        )

    deadline = time.monotonic() + 60
    while not follows():
        assert time.monotonic() < deadline, server.log.read_text()[-2_000:]
        time.sleep(0.05)
