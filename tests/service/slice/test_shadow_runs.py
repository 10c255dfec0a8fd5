"""A shadow's rows are its own from the decision on, whichever process is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from gnomon.artifact import Artifact, inspect
from gnomon.log import STOPPED, InferenceLog, shadow_stream, stream_folder
from gnomon.log.table.log_table import LogTable
from gnomon.rollout.history import Shadow
from gnomon.service.slice.shadow_runs import ShadowRuns
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from gnomon.shadow.feed.run import Run
from tests.packing import Pack, times
from tests.shadow.feeding import SLICE, Requests, row


def runs(settings: Settings, requests: Requests) -> ShadowRuns:
    """Those of a gateway that writes these requests."""
    recorder = SimpleNamespace(is_open=True, position=str(requests.position), opened_at="0:0")
    claim = SimpleNamespace(name=SLICE)
    return ShadowRuns("toy", settings, cast(Any, claim), cast(Any, recorder))


def shadow_of(artifact: Artifact, since: int = 2) -> Shadow:
    now = datetime.now(UTC)
    return Shadow(artifact=artifact.tag, digest=artifact.digest, fraction=1.0, since=since, at=now)


def folder_of(settings: Settings, artifact: Artifact) -> Path:
    return stream_folder(settings, "toy", SLICE, shadow_stream(artifact.version))


def test_rows_answered_before_a_killed_gateway_had_a_feed_lag(
    settings: Settings, pack: Pack
) -> None:
    """The gateway begins a run, answers and is killed; no feed has ever run. The rows lag, and the
    next gateway's run begins where the first one's did.
    """
    live, shadow = inspect(pack(times(1))), shadow_of(inspect(pack(times(2))))
    requests = Requests(settings, live)
    requests.answer(row(1.0))
    if not (child := os.fork()):
        try:
            asyncio.run(runs(settings, requests).begin([shadow]))
            requests.answer(row(2.0), row(3.0))
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    requests.close()

    requests = Requests(settings, live)
    again = runs(settings, requests)
    asyncio.run(again.begin([shadow]))
    requests.answer(row(4.0))
    (accounts,) = balance(InferenceLog(settings, "toy")).shadows
    assert accounts.balanced
    assert (accounts.eligible, accounts.lagging) == (3, 3)
    folder = folder_of(settings, inspect(shadow.artifact))
    assert again.of(shadow) == Run.last(folder)
    fresh = Run(artifact=shadow.artifact, epoch=2, since="9:900", fraction=1.0)
    assert fresh.resumed(folder, LogTable(settings, "toy"))[0] == Run.last(folder)
    requests.close()


def test_a_new_run_of_a_stopped_shadow_is_no_longer_marked_as_stopped(
    settings: Settings, pack: Pack
) -> None:
    """Its rows count, and its requests are kept, before its feed runs."""
    artifact = inspect(pack(times(1)))
    requests, folder = Requests(settings, artifact), folder_of(settings, artifact)
    first = runs(settings, requests)
    asyncio.run(first.begin([shadow_of(artifact)]))
    (folder / STOPPED).touch()
    requests.answer(row(1.0))
    asyncio.run(runs(settings, requests).begin([shadow_of(artifact, since=4)]))
    assert not (folder / STOPPED).exists()
    last = Run.last(folder)
    assert last is not None
    assert (last.epoch, last.since) == (4, str(requests.position))
    requests.close()
