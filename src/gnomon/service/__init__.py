"""The gateway and its clients: ``gateway`` is for deployments, the clients are for callers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnomon.lazy_imports import lazy

if TYPE_CHECKING:
    from gnomon.service.client.clients import AsyncClient, Client
    from gnomon.service.deployment import gateway

__all__ = ["AsyncClient", "Client", "gateway"]

_HOMES = {"AsyncClient": "client.clients", "Client": "client.clients", "gateway": "deployment"}

__getattr__ = lazy(__name__, _HOMES)
