"""One server for the tests of a file: to start one takes longer than most faults do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gnomon.testing import Server, serving
from tests.packing import SCRIPT, times


@pytest.fixture(scope="module")
def shared(
    request: pytest.FixtureRequest,
    packed_once: Callable[[str, str, str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A server of the toy model, x times 2.

    A test file says in ``MISCHIEF`` what its code does besides, and in ``SETTINGS`` what is set.
    """
    place = tmp_path_factory.mktemp("shared")
    home, folder = place / "bentoml", place / "deployment"
    packed = packed_once(times(2, request.module.MISCHIEF), "toy", SCRIPT)
    shutil.copytree(packed, home / "models" / "toy" / packed.name)
    (folder / "service").mkdir(parents=True)
    (folder / "service" / "__init__.py").write_text(
        'from gnomon.service import gateway\n\nGateway = gateway("toy")\n'
    )
    environment = {"BENTOML_HOME": str(home), **request.module.SETTINGS}
    with serving(folder, place / "root", environment=environment) as running:
        yield running
