"""The scoring engine and its process: one artifact per process, and user code runs only here.

The worker process imports this package too, so names that only its clients need are loaded lazily.
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
