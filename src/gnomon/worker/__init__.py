"""The one engine and the process it runs in: one artifact per process, user code nowhere else.

A worker is of this package too, and starts without what only its clients need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnomon.lazy_imports import lazy

if TYPE_CHECKING:
    from gnomon.worker.client import WorkerClient
    from gnomon.worker.supervisor import Supervisor

__all__ = ["Supervisor", "WorkerClient"]

_HOMES = {"Supervisor": "supervisor", "WorkerClient": "client"}

__getattr__ = lazy(__name__, _HOMES)
