"""The one engine and the process it runs in: one artifact per process, user code nowhere else."""

from gnomon.worker.client import WorkerClient
from gnomon.worker.supervisor import Supervisor

__all__ = ["Supervisor", "WorkerClient"]
