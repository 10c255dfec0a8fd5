"""Serve a model, run the next one in its shadow, and prove that online matches offline.

Names are imported on first use, so that ``import gnomon`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from gnomon.version import __version__

if TYPE_CHECKING:
    from gnomon.artifact import Artifact as Artifact
    from gnomon.artifact import inspect as inspect
    from gnomon.artifact import load as load
    from gnomon.artifact import pack as pack
    from gnomon.contract import Contract as Contract
    from gnomon.errors import GnomonError as GnomonError
    from gnomon.policy import Policy as Policy
    from gnomon.rollout import SkewCheck as SkewCheck
    from gnomon.rollout import compare_offline as compare_offline
    from gnomon.rollout import replay as replay
    from gnomon.service.client import AsyncClient as AsyncClient
    from gnomon.service.client import Client as Client

__all__ = [
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

_HOMES = {
    "Artifact": "gnomon.artifact",
    "AsyncClient": "gnomon.service.client",
    "Client": "gnomon.service.client",
    "Contract": "gnomon.contract",
    "GnomonError": "gnomon.errors",
    "Policy": "gnomon.policy",
    "SkewCheck": "gnomon.rollout",
    "compare_offline": "gnomon.rollout",
    "inspect": "gnomon.artifact",
    "load": "gnomon.artifact",
    "pack": "gnomon.artifact",
    "replay": "gnomon.rollout",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'gnomon' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
