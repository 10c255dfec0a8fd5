"""The deployment's own files, as they are in the repository."""

from __future__ import annotations

import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def test_a_bento_installs_what_gnomon_needs() -> None:
    """bentofile.yaml lists the dependencies of pyproject.toml, because Gnomon travels as source."""
    bento = yaml.safe_load((ROOT / "bentofile.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert bento["python"]["packages"] == project["project"]["dependencies"]


def test_constraints_pin_versions_and_nothing_else() -> None:
    """Every line is `name==version`: no address, no path, not Gnomon itself."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins == sorted(pins)
    for pin in pins:
        name, equals, version = pin.partition("==")
        assert equals
        assert name.replace("-", "").replace(".", "").isalnum()
        assert version[0].isdigit()
        assert name != "gnomon"
