"""The environment that an artifact was packed in."""

from __future__ import annotations

import platform
from importlib import metadata

import msgspec
import pytest

from gnomon.artifact.environment import Environment
from gnomon.errors import ArtifactIncompatible


def test_the_fingerprint_is_this_process() -> None:
    """It names this Python and the installed versions."""
    here = Environment.here(["msgspec"])
    assert here.python == platform.python_version()
    assert here.packages["scikit-learn"] == metadata.version("scikit-learn")
    assert here.packages["msgspec"] == metadata.version("msgspec")


def test_requirements_are_pinned() -> None:
    """Every package is a line with its exact version."""
    here = Environment.here()
    lines = here.requirements.splitlines()
    assert f"numpy=={metadata.version('numpy')}" in lines
    assert len(lines) == len(here.packages)


def test_this_environment_passes() -> None:
    """What was packed here runs here."""
    Environment.here().check("here")


def minor(version: str, by: int) -> str:
    parts = version.split(".")
    return ".".join([parts[0], str(int(parts[1]) + by), "0"])


def test_another_python_minor_is_refused_by_name() -> None:
    """The message names both versions and what to do."""
    running = platform.python_version()
    other = msgspec.structs.replace(Environment.here(), python=minor(running, 1))
    with pytest.raises(ArtifactIncompatible) as caught:
        other.check("flights:1")
    assert other.python in str(caught.value)
    assert running in str(caught.value)
    assert "requirements.txt" in str(caught.value)


def test_another_scikit_learn_minor_is_refused_by_name() -> None:
    """The message names both versions."""
    here = Environment.here()
    running = here.packages["scikit-learn"]
    packages = {**here.packages, "scikit-learn": minor(running, -1)}
    with pytest.raises(ArtifactIncompatible) as caught:
        msgspec.structs.replace(here, packages=packages).check("flights:1")
    assert packages["scikit-learn"] in str(caught.value)
    assert running in str(caught.value)


def test_patch_releases_pass() -> None:
    """Another patch release of either is left to the golden rows."""
    here = Environment.here()
    patched = ".".join([*platform.python_version().split(".")[:2], "99"])
    learn = ".".join([*here.packages["scikit-learn"].split(".")[:2], "99"])
    packages = {**here.packages, "scikit-learn": learn}
    msgspec.structs.replace(here, python=patched, packages=packages).check("flights:1")
