"""Starting worker processes, and their environment."""

from __future__ import annotations

import time

import psutil
import pytest

from gnomon.settings import Settings
from gnomon.worker import WorkerClient
from gnomon.worker.messages import ERROR
from gnomon.worker.spawn import child_environment, spawn
from tests.load import until
from tests.packing import SLOW_TO_LOAD, times
from tests.worker.conftest import Toy, rows

pytestmark = pytest.mark.usefixtures("fresh_children")


@pytest.mark.slow
def test_a_worker_that_is_loading_ends_with_its_socket(toy: Toy, settings: Settings) -> None:
    """It ends from its first instant on, and in the midst of the artifact's own code."""
    artifact = toy(SLOW_TO_LOAD + times(3))
    for is_loading in (False, True):
        process, control = spawn(artifact, settings)
        if is_loading:
            until(lambda pid=process.pid: sleeps(pid), "it runs the artifact's code")
        control.close()
        began = time.monotonic()
        process.wait(10)
        assert time.monotonic() - began < 2


def sleeps(pid: int) -> bool:
    """Whether a process has loaded its libraries and uses no processor any more."""
    process = psutil.Process(pid)
    used = process.cpu_times().user
    time.sleep(0.3)
    return used > 0.5 and process.cpu_times().user == used


TOLD = "raise ValueError(sorted(n for n in os.environ if n.startswith('GNOMON_')))"
"""User code that tells which of our variables it can read."""


@pytest.mark.slow
def test_secrets_do_not_reach_user_code(
    toy: Toy, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker gets the settings it was started with, and nothing else of the gateway's."""
    monkeypatch.setenv("GNOMON_CONTROL_TOKEN", "s3cret")
    monkeypatch.setenv("GNOMON_OF_TOMORROW", "a setting that this version does not know")
    assert "s3cret" not in child_environment(settings).values()
    artifact = toy(times(1, TOLD))
    with WorkerClient(artifact, settings) as worker:
        error = worker.score(rows(artifact, [1.0], "online")).column(ERROR)[0].as_py()
    assert "GNOMON_ROOT" in error
    assert "TOKEN" not in error
    assert "TOMORROW" not in error
