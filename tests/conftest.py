"""What every room's tests share: a store of their own, settings, and small real artifacts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gnomon.settings import Settings
from tests.packing import Pack, pack_in_process


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own BentoML home and none of the caller's settings."""
    for name in list(os.environ):
        if name.startswith("GNOMON_"):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("bentoml")
    monkeypatch.setenv("BENTOML_HOME", str(home))
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "True")
    return home


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings over a storage root of the test's own."""
    return Settings(root=str(tmp_path / "root"), deadline=5.0)


@pytest.fixture
def pack(own_home: Path, tmp_path: Path) -> Pack:
    """Packs a toy artifact in a process of its own, as a team would, and gives its tag."""
    numbers = iter(range(1_000_000))

    def packed(source: str, name: str = "toy", **options: str) -> str:
        folder = tmp_path / f"code-{next(numbers)}"
        return pack_in_process(folder, own_home, source, name, **options)

    return packed


Deploy = Callable[[str], Path]


@pytest.fixture
def deploy(tmp_path: Path) -> Deploy:
    """Writes a deployment folder for a model name, with optional gateway arguments."""

    def deployed(arguments: str = '"toy"') -> Path:
        folder = tmp_path / "deployment"
        (folder / "service").mkdir(parents=True, exist_ok=True)
        (folder / "service" / "__init__.py").write_text(
            f"from gnomon.service import gateway\n\nGateway = gateway({arguments})\n"
        )
        return folder

    return deployed
