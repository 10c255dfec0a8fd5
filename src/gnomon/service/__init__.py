"""The gateway and its clients. A deployment needs ``gateway``; a caller needs a client."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.service.client import AsyncClient, Client
    from gnomon.service.deployment import gateway

__all__ = ["AsyncClient", "Client", "gateway"]

_HOMES = {"AsyncClient": "client", "Client": "client", "gateway": "deployment"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
