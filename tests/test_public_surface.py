"""What users may rely on: the names of the package, and that getting at them is cheap."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import gnomon

SURFACE = [
    "Artifact",
    "AsyncClient",
    "Client",
    "Contract",
    "GnomonError",
    "Policy",
    "SkewCheck",
    "__version__",
    "compare_offline",
    "inspect",
    "load",
    "pack",
    "replay",
]


def test_the_public_names_are_these() -> None:
    """A name is added or removed on purpose, with this test and the changelog."""
    assert gnomon.__all__ == SURFACE
    assert dir(gnomon) == SURFACE


@pytest.mark.parametrize("name", SURFACE)
def test_every_public_name_is_what_its_room_calls_so(name: str) -> None:
    """Each is the object of that name in the room it comes from, not another one."""
    home = import_module(f"gnomon.{gnomon._HOMES.get(name, 'version')}")
    assert getattr(gnomon, name) is getattr(home, name)


def test_another_name_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="no attribute 'Servant'"):
        gnomon.Servant  # type: ignore[attr-defined]  # noqa: B018


def loaded_by(code: str) -> set[str]:
    """The modules a fresh interpreter has after running some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import gnomon", {"numpy", "pyarrow", "msgspec", "httpx", "bentoml"}),
        ("import gnomon; gnomon.Client", {"numpy", "pyarrow", "pandas", "sklearn", "bentoml"}),
        ("import gnomon.cli.app", {"rich.console", "httpx", "pyarrow", "bentoml", "sklearn"}),
    ],
)
def test_a_name_costs_what_it_needs_and_no_more(code: str, absent: set[str]) -> None:
    """Importing a client loads no data library; asking for help loads neither."""
    assert loaded_by(code) & absent == set()
