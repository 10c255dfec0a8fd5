"""Mirrors ``gnomon.service.runtime``: starting and swapping; under load see ``tests/faults``."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from gnomon.errors import NotReady, UnknownArtifact
from gnomon.shadow.log import InferenceLog
from gnomon.testing import serving
from tests.conftest import Deploy, Serve
from tests.load import load, until, workers
from tests.packing import Pack, times


def test_sigterm_under_load_answers_what_was_accepted(pack: Pack, serve: Serve) -> None:
    """On SIGTERM every accepted request is answered and logged, and the exit is clean."""
    tag = pack(times(2))
    with serve(tag) as server:
        with load(server) as seen:
            until(lambda: len(seen.acknowledged) > 50, "load")
            children = workers(server)
            assert server.stop() == 0
        assert not [p for p in children if p.is_running() and p.status() != "zombie"]
    assert seen.refused == []
    logged = InferenceLog(server.settings, "toy").table(columns=["request_id"], outcome="answered")
    assert set(seen.acknowledged) <= set(logged["request_id"].to_pylist())


def test_a_full_queue_sheds_and_counts(pack: Pack, serve: Serve) -> None:
    """Beyond the queue's bound requests get 503 with a pause to wait, and the books say so."""
    tag = pack(times(2, "time.sleep(0.2)"))
    with serve(tag, GNOMON_QUEUE_ROWS="4") as server, server.client() as control:
        with load(server, connections=24) as seen:
            until(lambda: len(seen.refused) > 20, "shedding")
        books = control.status().books
    assert set(seen.refused) == {503}
    assert books.shed >= len(seen.refused) > 0
    assert books.reasons["shed:overloaded"] == books.shed
    assert books.received == books.answered + books.shed + books.in_flight


def test_without_an_artifact_it_says_what_to_do(deploy: Deploy, tmp_path: Path) -> None:
    """A server over an empty store lives, is not ready, and tells how to pack."""
    with (
        pytest.raises(NotReady, match="pack one with"),
        serving(deploy(), tmp_path / "root", wait_seconds=15),
    ):
        pass


def test_promoting_what_cannot_be_loaded_leaves_live_alone(pack: Pack, serve: Serve) -> None:
    """An artifact that is not there, or whose worker refuses it, changes nothing."""
    old = pack(times(2))
    with serve(old) as server, server.client() as control:
        with pytest.raises(UnknownArtifact):
            control.promote("toy:nothing", force=True)
        assert control.predict({"x": 1.0, "id": "a"}).prediction == 2.0
        assert control.status().epoch == 1
        server.process.send_signal(signal.SIGTERM)
