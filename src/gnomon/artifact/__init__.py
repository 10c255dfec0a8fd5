"""The artifact: pack, inspect, load and verify it.

Only what is used is imported: inspecting an artifact needs neither pandas nor scikit-learn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnomon.lazy_imports import lazy

if TYPE_CHECKING:
    from gnomon.artifact.artifact import Artifact, contracts_of, inspect
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
    "contracts_of",
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
    "contracts_of": "artifact",
    "inspect": "artifact",
    "load": "loading",
    "pack": "packing",
    "resolve": "store",
    "step_outputs": "golden",
    "tags": "store",
}

__getattr__ = lazy(__name__, _HOMES)
