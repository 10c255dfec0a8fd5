"""One server for the tests of a file: to start one takes longer than most faults do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from gnomon.testing import Server, serving
from tests.faults.power import Power
from tests.forking import forked_children, fresh_children
from tests.packing import SCRIPT, install, times, write_service

__all__ = ["forked_children", "fresh_children", "power", "serve_in", "shared"]

ServeIn = Callable[[Path, str, Mapping[str, str]], AbstractContextManager[Server]]


@pytest.fixture(scope="session")
def serve_in(packed_once: Callable[[str, str, str], Path]) -> ServeIn:
    """Serves the toy model, x times 2, with all it needs in one folder.

    Takes the folder, what the model's code does besides, and what is set.
    """

    @contextmanager
    def served(place: Path, fault: str, settings: Mapping[str, str]) -> Iterator[Server]:
        home, folder = place / "bentoml", place / "deployment"
        install(packed_once(times(2, fault), "toy", SCRIPT), home)
        write_service(folder)
        environment = {"BENTOML_HOME": str(home), **settings}
        with serving(folder, place / "root", environment=environment) as running:
            yield running

    return served


@pytest.fixture(scope="module")
def shared(
    request: pytest.FixtureRequest, serve_in: ServeIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server of the toy model.

    A test file says in ``FAULT`` what its code does besides, and in ``SETTINGS`` what is set.
    """
    place = tmp_path_factory.mktemp("shared")
    with serve_in(place, request.module.FAULT, request.module.SETTINGS) as running:
        yield running


@pytest.fixture
def power(tmp_path: Path) -> Iterator[Power]:
    """A disk of this test's own, whose power can be cut."""
    simulator = Power(tmp_path)
    try:
        yield simulator
    finally:
        simulator.close()
