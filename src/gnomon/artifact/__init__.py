"""The artifact: pack, inspect, load and verify it.

Only what is used is imported: looking at an artifact needs neither pandas nor scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.artifact.artifact import Artifact, inspect
    from gnomon.artifact.environment import Environment
    from gnomon.artifact.golden import step_outputs
    from gnomon.artifact.loading import LoadedArtifact, load
    from gnomon.artifact.manifest import Lineage, Manifest
    from gnomon.artifact.packing import pack
    from gnomon.artifact.store import resolve, tags

__all__ = [
    "Artifact",
    "Environment",
    "Lineage",
    "LoadedArtifact",
    "Manifest",
    "inspect",
    "load",
    "pack",
    "resolve",
    "step_outputs",
    "tags",
]

_HOMES = {
    "Artifact": "artifact",
    "Environment": "environment",
    "Lineage": "manifest",
    "LoadedArtifact": "loading",
    "Manifest": "manifest",
    "inspect": "artifact",
    "load": "loading",
    "pack": "packing",
    "resolve": "store",
    "step_outputs": "golden",
    "tags": "store",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
