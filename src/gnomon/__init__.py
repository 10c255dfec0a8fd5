"""Serve a model, run the next one in its shadow, and prove that online is what offline said.

Names are imported on first use, so that ``import gnomon`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gnomon.errors import GnomonError as GnomonError
    from gnomon.models import Artifact as Artifact
    from gnomon.models import inspect as inspect
    from gnomon.models import load as load
    from gnomon.models import pack as pack
    from gnomon.preprocessing import Contract as Contract
    from gnomon.service.client import AsyncClient as AsyncClient
    from gnomon.service.client import Client as Client
    from gnomon.shadow.policy import Policy as Policy

__all__ = [
    "Artifact",
    "AsyncClient",
    "Client",
    "Contract",
    "GnomonError",
    "Policy",
    "__version__",
    "inspect",
    "load",
    "pack",
]

__version__ = "0.1.0"  # In the source, because in a bento there is nothing else of Gnomon.

_HOMES = {
    "Artifact": "gnomon.models",
    "AsyncClient": "gnomon.service.client",
    "Client": "gnomon.service.client",
    "Contract": "gnomon.preprocessing",
    "GnomonError": "gnomon.errors",
    "Policy": "gnomon.shadow.policy",
    "inspect": "gnomon.models",
    "load": "gnomon.models",
    "pack": "gnomon.models",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'gnomon' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
