"""Mirrors ``gnomon.worker.spawn``."""

from __future__ import annotations

import time

import psutil
import pytest

from gnomon.artifact import inspect
from gnomon.settings import Settings
from gnomon.worker.spawn import spawn
from tests.load import until
from tests.packing import SLOW_TO_LOAD, Pack, times


@pytest.mark.slow
def test_a_worker_that_is_loading_ends_with_its_socket(pack: Pack, settings: Settings) -> None:
    """From its first moment on, and in the midst of the artifact's own code."""
    tag = pack(SLOW_TO_LOAD + times(3))
    for is_loading in (False, True):
        process, control = spawn(inspect(tag), settings)
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
