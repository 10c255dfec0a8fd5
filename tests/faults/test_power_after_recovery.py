"""Power fails soon after a killed server was replaced and its log sealed (real ext4)."""

from __future__ import annotations

import gc

import pytest

from gnomon import files
from gnomon.log import InferenceLog, SegmentWriter, new_request_id
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import stream_folder
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.faults.power import Power, skip_reason
from tests.log.rows import REQUESTS_SCHEMA, live

REASON = skip_reason()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=str(REASON))]


def serve_once(setup: Settings) -> list[str]:
    """Three acknowledged requests, each synced before it was."""
    folder = stream_folder(setup, "flights", "a", "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    ids = [new_request_id() for _ in range(3)]
    for request_id in ids:
        writer.rotate()
        writer.append(live([request_id]))
    writer.close()  # Syncs.
    return ids


def test_rows_after_a_power_loss_are_not_treated_as_sealed(power: Power) -> None:
    """The segment that recovery began is on disk before the earlier ones are removed."""
    setup = Settings(root=str(power.path / "root"), fsync_seconds=0.0)
    ids = serve_once(setup)
    Sealer(setup, "flights").seal()
    # Any sync on that disk, as another slice's: it takes the removal of sealed segments with it.
    files.replace(power.path / "other", b"anything")
    power.cut()
    power.close()
    power.restore()
    ids += serve_once(setup)
    Sealer(setup, "flights").seal()
    logged, balanced = _read(setup)
    gc.collect()  # The disk is unmounted by killing whoever has a file open there.
    assert balanced
    assert logged == sorted(ids)


def _read(setup: Settings) -> tuple[list[str], bool]:
    log = InferenceLog(setup, "flights")
    logged = log.table(columns=["request_id"])["request_id"].to_pylist()
    return sorted(logged), balance(log).balanced
