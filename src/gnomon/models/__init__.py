"""The artifact: pack, inspect, load and verify it.

Only what is used is imported: looking at an artifact needs neither pandas nor scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.models.artifact import Artifact, inspect
    from gnomon.models.environment import Environment
    from gnomon.models.golden import step_outputs
    from gnomon.models.loading import LoadedArtifact, load
    from gnomon.models.manifest import Lineage, Manifest
    from gnomon.models.packing import pack
    from gnomon.models.predicting import outputs
    from gnomon.models.seeds import SeedWarning
    from gnomon.models.store import resolve, tags

__all__ = [
    "Artifact",
    "Environment",
    "Lineage",
    "LoadedArtifact",
    "Manifest",
    "SeedWarning",
    "inspect",
    "load",
    "outputs",
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
    "SeedWarning": "seeds",
    "inspect": "artifact",
    "load": "loading",
    "outputs": "predicting",
    "pack": "packing",
    "resolve": "store",
    "step_outputs": "golden",
    "tags": "store",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
