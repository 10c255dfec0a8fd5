"""Rows that wait in slices which no gateway runs any more are scored."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gnomon.artifact import Artifact, inspect
from gnomon.log import REQUESTS, STOPPED, InferenceLog, shadow_stream, stream_folder
from gnomon.rollout.history import RolloutState, Shadow
from gnomon.service.slice.orphans import Orphans
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.shadow.accounts.balance import balance
from gnomon.shadow.heartbeats import Heartbeat, ShadowBeat
from gnomon.storage import Storage
from tests.packing import Pack, times
from tests.shadow.feeding import PATIENCE, SLICE, FeedProcess, Requests, records, row

AGO = datetime.now(UTC) - timedelta(minutes=5)


@pytest.fixture
def shadow(pack: Pack) -> Artifact:
    return inspect(pack(times(1)))


@pytest.fixture
def storage(settings: Settings) -> Storage:
    return Storage(settings)


def state(shadow: Artifact) -> RolloutState:
    """A rollout in which it has been in shadow since decision 2."""
    run = Shadow(artifact=shadow.tag, digest=shadow.digest, fraction=1.0, since=2, at=AGO)
    return RolloutState(epoch=2, lives=("toy:live",), shadows={shadow.tag: run})


def leave_behind(settings: Settings, shadow: Artifact, storage: Storage) -> Requests:
    """A slice whose shadow has scored one row of three when everything is killed."""
    requests = Requests(settings, shadow)
    requests.answer(row(1.0))
    with FeedProcess(settings, shadow) as feed:
        feed.caught_up(1)
    requests.answer(row(2.0), row(3.0))
    shadow_beat = ShadowBeat(artifact=shadow.tag, epoch=2, scored=1, lagging=2)
    heartbeats.write(storage, Heartbeat(
        model="toy", slice=SLICE, host="h", pid=1, started=AGO, updated=AGO, shadows=(shadow_beat,),
    ))  # fmt: skip
    return requests


async def step_until_released(orphans: Orphans, rollout: RolloutState) -> None:
    await orphans.step(rollout, "own")
    assert orphans.name == SLICE
    async with asyncio.timeout(PATIENCE):
        while orphans.name is not None:
            await orphans.step(rollout, "own")
            await asyncio.sleep(0.1)


@pytest.mark.slow
def test_what_waits_in_a_slice_left_behind_is_scored(
    settings: Settings, shadow: Artifact, storage: Storage
) -> None:
    """Every row is scored once; then no process waits for the slice, and it is removed."""
    leave_behind(settings, shadow, storage).close()
    orphans = Orphans(settings, "toy", patience=0)
    asyncio.run(step_until_released(orphans, state(shadow)))
    assert [record["input_x"] for record in records(settings, shadow)] == [1.0, 2.0, 3.0]
    accounts = balance(InferenceLog(settings, "toy"))
    assert accounts.balanced, accounts.explain()
    assert accounts.shadows[0].scored == 3
    assert heartbeats.read(storage, "toy") == []
    stream = stream_folder(settings, "toy", SLICE, shadow_stream(shadow.version))
    assert (stream / STOPPED).exists()


@pytest.mark.slow
def test_a_slice_with_a_gateway_is_left_alone(
    settings: Settings, shadow: Artifact, storage: Storage
) -> None:
    """Even if it is silent, its gateway has the lock; so has one that reported recently."""
    requests = leave_behind(settings, shadow, storage)
    orphans = Orphans(settings, "toy", patience=0)
    asyncio.run(orphans.step(state(shadow), "own"))
    assert orphans.name is None
    requests.close()
    (beat,) = heartbeats.read(storage, "toy")
    patient = Orphans(settings, "toy", patience=600)
    asyncio.run(patient.step(state(shadow), "own"))
    assert patient.name is None
    assert heartbeats.read(storage, "toy") == [beat]


def test_nothing_waits_for_a_shadow_that_was_stopped_meanwhile(
    settings: Settings, shadow: Artifact, storage: Storage
) -> None:
    """The slice is forgotten, and its requests may be sealed."""
    leave_behind(settings, shadow, storage).close()
    orphans = Orphans(settings, "toy", patience=0)
    asyncio.run(orphans.step(RolloutState(epoch=3, lives=("toy:live",)), "own"))
    assert orphans.name is None
    stream = stream_folder(settings, "toy", SLICE, shadow_stream(shadow.version))
    assert (stream / STOPPED).exists()
    assert not (stream.parent / REQUESTS / STOPPED).exists()
    assert heartbeats.read(storage, "toy") == []
