"""Mirrors ``gnomon.service.runtime``: starting and swapping; for the rest see ``tests/faults``."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from gnomon.errors import NotReady, UnknownArtifact
from gnomon.testing import serving
from tests.conftest import Deploy, Serve
from tests.packing import Pack, times


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
