"""Serve a model, run the next one in its shadow, and prove that online matches offline.

Names are imported on first use, so that ``import gnomon`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnomon.lazy_imports import lazy
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
    "Artifact": "artifact",
    "AsyncClient": "service.client",
    "Client": "service.client",
    "Contract": "contract",
    "GnomonError": "errors",
    "Policy": "policy",
    "SkewCheck": "rollout",
    "compare_offline": "rollout",
    "inspect": "artifact",
    "load": "artifact",
    "pack": "artifact",
    "replay": "rollout",
}

__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
