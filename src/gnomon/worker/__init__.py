"""The one engine and the process it runs in: one artifact per process, user code nowhere else.

A worker is of this package too, and starts without what only its clients need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.worker.client import WorkerClient
    from gnomon.worker.supervisor import Supervisor

__all__ = ["Supervisor", "WorkerClient"]

_HOMES = {"Supervisor": "supervisor", "WorkerClient": "client"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
