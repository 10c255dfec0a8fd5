"""A deployment for commands: a stopped one for each test, and a running one for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gnomon.service.client.clients import Client
from gnomon.testing import Server, serving
from tests.cli.running import Shell
from tests.forking import forked_children
from tests.load import until
from tests.packing import SCRIPT, install, times, write_service

__all__ = ["forked_children", "running", "shell"]


@pytest.fixture
def shell(tmp_path: Path, own_home: Path) -> Shell:
    """Commands run in the test's own folder, with its own store and storage root."""
    return Shell(tmp_path, {"BENTOML_HOME": str(own_home), "GNOMON_ROOT": ".gnomon"})


@dataclass(frozen=True)
class Running:
    """A running server with traffic behind it.

    Attributes:
        shell: runs commands with its storage root and store.
        live: the tag that answers; it says x.
        shadow: the tag in its shadow; it says a hundred x.
        spare: a tag nobody uses; it says two x.
        rows: how many were answered, and scored by the shadow.
    """

    server: Server
    shell: Shell
    live: str
    shadow: str
    spare: str
    rows: int


def compared(client: Client) -> int:
    """How many rows of the first shadow were compared with live's."""
    shadows = client.status().shadows
    return shadows[0].compared if shadows else 0


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, packed_once: Callable[[str, str, str], Path]
) -> Iterator[Running]:
    """One server for the tests that do not change it; started with ``gnomon`` itself."""
    place = tmp_path_factory.mktemp("running")
    home, root, deployment = place / "bentoml", place / "root", place / "deployment"
    tags = [install(packed_once(times(factor), "toy", SCRIPT), home) for factor in (1, 100, 2)]
    write_service(deployment)
    environment = {"BENTOML_HOME": str(home), "GNOMON_ROOT": str(root)}
    shell = Shell(deployment, environment)
    shell("promote", tags[0], "--why", "the first")
    with serving(deployment, root, environment=environment) as server, server.client() as client:
        shell("shadow", "start", tags[1], "--why", "to see")
        rows = [{"x": float(n), "id": f"e{n}"} for n in range(1, 41)]
        for row in rows:
            client.predict(row)
        until(lambda: compared(client) == len(rows), "the shadow is compared", 120)
        yield Running(server, shell, *tags, len(rows))
