"""What all tests share: an own store, settings, and small real artifacts."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil

# Before NumPy and scikit-learn are loaded: threads of OpenMP spin while they wait for each other,
# and with a test on every core they wait for long. It is what a worker runs with, too.
os.environ["OMP_NUM_THREADS"] = "1"
# For servers of a whole module too, which start before a test's own settings.
os.environ["BENTOML_DO_NOT_TRACK"] = "True"

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import hypothesis
import pytest

from gnomon import rollout
from gnomon.settings import Settings
from gnomon.testing import Server, serving
from tests.packing import SCRIPT, Pack, install, pack_in_process, write_service

# A busy machine takes longer for any example; the first one also imports what the rest use.
# For a night: `--hypothesis-profile thorough`. Tests that name a number of examples keep to it.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2_000)
hypothesis.settings.load_profile("suite")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two workers per core, because tests of a server spend half of their time waiting."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first, each half still in random order.

    Workers take whole files one after the other; a long one taken last would leave the rest idle.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own BentoML home and none of the caller's settings."""
    for name in list(os.environ):
        if name.startswith("GNOMON_"):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("bentoml")
    monkeypatch.setenv("BENTOML_HOME", str(home))
    return home


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings over a storage root of the test's own."""
    return Settings(root=str(tmp_path / "root"), deadline=5.0)


@pytest.fixture(scope="session")
def packed_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, str], Path]:
    """Packs each distinct artifact once a run, in whichever worker of xdist needs it first: packing
    takes seconds, copying none.
    """
    own = tmp_path_factory.getbasetemp()
    common = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "packed"
    common.mkdir(exist_ok=True)

    def packed(source: str, name: str, script: str) -> Path:
        place = common / hashlib.sha256("\0".join((name, source, script)).encode()).hexdigest()
        with place.with_suffix(".lock").open("a+") as tag:
            fcntl.flock(tag, fcntl.LOCK_EX)
            tag.seek(0)
            if not (found := tag.read()):
                shutil.rmtree(place, ignore_errors=True)  # of one that failed
                found = pack_in_process(place / "code", place, source, name, script)
                tag.write(found)
        return place / "models" / found.replace(":", "/")

    return packed


@pytest.fixture
def pack(own_home: Path, packed_once: Callable[[str, str, str], Path]) -> Pack:
    """Packs a toy artifact in a process of its own, as a team would, and gives its tag."""

    def packed(source: str, name: str = "toy", script: str = SCRIPT) -> str:
        return install(packed_once(source, name, script), own_home)

    return packed


Deploy = Callable[[str], Path]


@pytest.fixture
def deploy(tmp_path: Path) -> Deploy:
    """Writes a deployment folder for a model name, with optional gateway arguments."""

    def deployed(arguments: str = '"toy"') -> Path:
        folder = tmp_path / "deployment"
        write_service(folder, arguments)
        return folder

    return deployed


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
