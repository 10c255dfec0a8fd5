"""Opening a slice and changing its live artifact; tests/faults has the rest."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import psutil
import pytest
import uvloop
from prometheus_client import REGISTRY

from gnomon import rollout
from gnomon.errors import GnomonError, NotReady, PolicyError, SettingsError, UnknownArtifact
from gnomon.log import REQUESTS, stream_folder
from gnomon.log.segments.layout import StreamLock
from gnomon.service.client.clients import Client
from gnomon.service.slice.runtime import open_gateway, open_runtime
from gnomon.service.status.slice_status import Status
from gnomon.settings import Settings
from gnomon.testing import serving
from tests.conftest import Deploy, Serve
from tests.descriptors import descriptors, spare_descriptors
from tests.packing import Pack, times

pytestmark = pytest.mark.filterwarnings("ignore:bentoml.metrics:DeprecationWarning")

MOST_DESCRIPTORS = 20
"""More than an opening takes."""
MOST_CANCELLED = 40
"""Turns of the event loop in which an opening is cancelled; it is over before."""


def test_without_an_artifact_it_says_what_to_do(deploy: Deploy, tmp_path: Path) -> None:
    """A server over an empty store lives, is not ready, and tells how to pack."""
    message = ""
    for seconds in (4, 30, 120):  # It is never ready; a busy machine takes longer to say why.
        with (
            pytest.raises(NotReady) as refused,
            serving(deploy(), tmp_path / "root", wait_seconds=seconds),
        ):
            pass
        message = str(refused.value)
        if "pack one with" in message:
            break
    assert "pack one with" in message


def test_promoting_what_cannot_be_loaded_leaves_live_alone(pack: Pack, serve: Serve) -> None:
    """A missing artifact, or one that its worker refuses, changes nothing."""
    old = pack(times(2))
    with serve(old) as server, server.client() as control:
        with pytest.raises(UnknownArtifact):
            control.promote("toy:nothing", force=True)
        assert control.predict({"x": 1.0, "id": "a"}).prediction == 2.0
        assert control.status().epoch == 1
        server.process.send_signal(signal.SIGTERM)


@pytest.mark.slow
def test_what_is_reported_is_of_the_present_live_artifact(pack: Pack, serve: Serve) -> None:
    """After a promotion and after a rollback: time, comparison and gates of another shadow."""
    first, second, shadow = (pack(times(by)) for by in (2, 3, 4))

    def caught_up(control: Client, rows: int) -> Status:
        while (status := control.status()).shadows[0].scored < rows:
            time.sleep(0.1)
        return status

    with serve(first) as server, server.client() as control:
        control.start_shadow(shadow)
        control.predict([{"x": 1.0, "id": "a"}] * 40)
        before = caught_up(control, 40)
        assert before.live is not None
        assert before.live.latency_ms is not None
        assert (before.shadows[0].compared, before.shadows[0].disagreed) == (40, 40)
        control.promote(second, force=True)
        promoted = control.status()
        assert promoted.live is not None
        assert (promoted.live.artifact, promoted.live.latency_ms) == (second, None)
        beside = promoted.shadows[0]
        assert (beside.scored, beside.compared, beside.disagreement) == (40, 0, None)
        assert beside.against[first].scored == 40
        assert beside.open_gates
        control.predict([{"x": 0.0, "id": "a"}] * 7)
        after = caught_up(control, 47)
        assert (after.shadows[0].compared, after.shadows[0].disagreed) == (7, 0)
        control.rollback()
        rolled_back = control.status()
        assert rolled_back.live is not None
        assert rolled_back.live.latency_ms is None
        assert (rolled_back.shadows[0].compared, rolled_back.shadows[0].disagreed) == (40, 40)


def test_a_spool_of_another_root_is_not_written(tmp_path: Path) -> None:
    """The slice is open, without a log, and says why."""
    first, second = (
        Settings(root=str(tmp_path / name), spool=str(tmp_path / "spool"), replica="r")
        for name in ("first", "second")
    )
    assert "another storage root" not in (uvloop.run(opened(first)) or "")
    before = sorted((tmp_path / "spool").rglob("*"))
    assert "another storage root" in (uvloop.run(opened(second)) or "")
    assert sorted((tmp_path / "spool").rglob("*")) == before


@pytest.fixture
def named(settings: Settings) -> Settings:
    """Settings whose slice is called ``r-1``."""
    return msgspec.structs.replace(settings, replica="r")


@contextlib.contextmanager
def nothing_is_left(settings: Settings) -> Iterator[None]:
    """Check that no process, thread, descriptor, metric or lock remains after the block.

    What libraries keep after their first use is opened before: see ``once``.
    """
    before = held_resources()
    yield
    deadline = time.monotonic() + 10
    while (left := held_resources() - before) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.02)
    assert left == set()
    folder = stream_folder(settings, "toy", "r-1", REQUESTS)
    if folder.is_dir():
        StreamLock(folder).close()


def held_resources() -> set[tuple[str, object]]:
    """What this process has open, running and registered."""
    resources: set[tuple[str, object]] = {
        ("thread", thread.ident) for thread in threading.enumerate()
    }
    resources |= {("process", child.pid) for child in psutil.Process().children(recursive=True)}
    resources |= {("metric", name) for name in list(REGISTRY._names_to_collectors)}
    return resources | {("descriptor", descriptor) for descriptor in descriptors().items()}


async def opened(settings: Settings, policy: Path | None = None) -> str | None:
    """Open a slice and close it; what it said was wrong."""
    async with open_runtime("toy", settings, policy) as runtime:
        return runtime.status().error


@pytest.fixture(scope="module", autouse=True)
def once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have every library open what it keeps."""
    uvloop.run(opened(Settings(root=str(tmp_path_factory.mktemp("first")))))


def readable_token(root: Path) -> None:
    (root / "control.token").write_text("secret")
    (root / "control.token").chmod(0o644)


def file_for_root(root: Path) -> None:
    root.rmdir()
    root.write_text("")


def bad_policy(root: Path) -> None:
    (root / "policy.toml").write_text("gates = [")


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (readable_token, SettingsError, "only its owner can read"),
        (file_for_root, SettingsError, "cannot write the control token: expected a folder"),
        (bad_policy, PolicyError, "not TOML"),
    ],
)
def test_an_opening_that_fails_says_why_and_leaves_nothing(
    spoil: Callable[[Path], None], error: type[GnomonError], words: str, named: Settings
) -> None:
    """The first error is raised; the same slice can be opened afterwards."""
    root = Path(named.root)
    root.mkdir()
    spoil(root)
    policy = root / "policy.toml"
    with nothing_is_left(named), pytest.raises(error, match=words):
        uvloop.run(opened(named, policy if policy.exists() else None))
    uvloop.run(opened(msgspec.structs.replace(named, root=f"{named.root}-2")))


def test_a_log_that_cannot_be_opened_is_tried_again(named: Settings) -> None:
    """The slice opens without it and says so; once the disk lets it, it has a name."""
    spool = named.spool_path
    spool.parent.mkdir(parents=True)
    spool.write_text("in the way")

    async def error_after_repair() -> str | None:
        async with open_runtime("toy", named) as runtime:
            assert "Not a directory" in str(runtime.status().error)
            spool.unlink()
            while not runtime.status().slice:
                await asyncio.sleep(0.02)
            return runtime.status().slice

    with nothing_is_left(named):
        assert uvloop.run(asyncio.wait_for(error_after_repair(), 20)) == "r-1"


def test_an_artifact_that_is_gone_is_named_and_nothing_is_left(named: Settings, pack: Pack) -> None:
    """The rollout names it, so the slice opens, and its status says what it lacks."""
    rollout.promote(named, "toy", pack(times(2)))
    os.environ["BENTOML_HOME"] += "-moved"  # Put back by the fixture that set it.

    async def trouble() -> str | None:
        async with open_runtime("toy", named) as runtime:
            while "being" in str(runtime.status().error):
                await asyncio.sleep(0.02)
            return runtime.status().error

    with nothing_is_left(named):
        assert "toy:" in str(uvloop.run(asyncio.wait_for(trouble(), 20)))


def test_a_slice_that_answers_leaves_nothing(named: Settings, pack: Pack) -> None:
    """Its worker, sealer and codec are other processes; its log is a lock and a file."""
    rollout.promote(named, "toy", pack(times(2)))

    async def answer() -> bytes:
        async with open_runtime("toy", named) as runtime:
            while runtime.live is None:
                await asyncio.sleep(0.02)
            answer = await runtime.requests.predict(b'{"x": 1.5, "id": "a"}', None)
            return answer.body

    with nothing_is_left(named):
        assert b'"prediction":3.0' in uvloop.run(asyncio.wait_for(answer(), 60))


def test_an_opening_that_runs_out_of_descriptors_leaves_nothing(named: Settings) -> None:
    """With one more each time, it fails at a later stage, the standby being the last.

    The operating system's error is raised at every stage.
    """

    async def whole(spare: int) -> None:
        with spare_descriptors(spare):
            async with open_gateway("toy", named, None):
                pass

    failures = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_default_executor(ThreadPoolExecutor(1))
        runner.run(whole(1000))
        for spare in range(MOST_DESCRIPTORS):
            with nothing_is_left(named):
                try:
                    runner.run(whole(spare))
                except (GnomonError, OSError) as error:
                    failures.append(str(error))
    assert len(failures) < MOST_DESCRIPTORS
    assert all("Too many open files" in failure for failure in failures), failures


def test_an_opening_can_be_cancelled_anywhere(named: Settings, pack: Pack) -> None:
    """Threads that open something cannot be cancelled; they are waited for."""
    rollout.promote(named, "toy", pack(times(2)))

    async def cancelled(turns: int) -> None:
        opening = asyncio.create_task(opened(named))
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await opening

    for turns in range(MOST_CANCELLED):
        with nothing_is_left(named):
            uvloop.run(cancelled(turns))
