"""Real servers for the laws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from gnomon.settings import Settings
from gnomon.shadow import rollout
from gnomon.testing import Server, serving
from tests.conftest import Deploy

Serve = Callable[..., AbstractContextManager[Server]]


@pytest.fixture
def serve(deploy: Deploy, tmp_path: Path) -> Serve:
    """Serves an artifact of the toy model until the block ends, over the test's own root."""

    @contextmanager
    def served(live: str, **environment: str) -> Iterator[Server]:
        root = tmp_path / "root"
        rollout.promote(Settings(root=str(root)), "toy", live)
        with serving(deploy(), root, environment=environment) as server:
            yield server

    return served
