"""One server for the tests of a law that need several artifacts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gnomon import rollout
from gnomon.settings import Settings
from gnomon.testing import Server, serving
from tests.forking import forked_children, fresh_children
from tests.packing import SCRIPT, install, times, write_service

__all__ = ["Deployment", "deployed", "forked_children", "fresh_children"]


@dataclass(frozen=True)
class Deployment:
    """A server, and a way to put further artifacts into its store."""

    server: Server
    live: str
    install: Callable[[str], str]
    home: Path


@pytest.fixture(scope="module")
def deployed(
    request: pytest.FixtureRequest,
    packed_once: Callable[[str, str, str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    """A server of the toy model, x times 2. A test file says in ``SETTINGS`` what is set."""
    place = tmp_path_factory.mktemp("law")
    home, root, folder = place / "bentoml", place / "root", place / "deployment"

    def installed(source: str) -> str:
        return install(packed_once(source, "toy", SCRIPT), home)

    live = installed(times(2))
    write_service(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(home))
        rollout.promote(Settings(root=str(root)), "toy", live)
    environment = {"BENTOML_HOME": str(home), **request.module.SETTINGS}
    with serving(folder, root, environment=environment) as server:
        yield Deployment(server, live, installed, home)
