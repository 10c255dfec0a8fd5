"""The space that a process's metrics take on disk.

``prometheus_client`` keeps metrics in files that it maps into memory, and that get their space as
it is used. A process that uses more when the disk is full is killed, by SIGBUS.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from pathlib import Path

__all__ = ["release_files", "reserve_files"]

FILE_BYTES = 1 << 20
"""Room for thousands of series of one kind."""
KINDS = ("counter", "gauge_livemax", "gauge_livesum", "histogram", "summary")

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
MEMORY = Path("/dev/shm")


def reserve_files() -> None:
    """Take the space of this process's metrics, before any is made; of memory, if the disk is full.

    BentoML has said where they go; gateways of one server share the place.
    """
    folder = os.environ.get(VARIABLE)
    if folder is None:
        return
    try:
        _reserve(Path(folder))
    except OSError:
        spare = MEMORY / f"gnomon-metrics-{zlib.crc32(folder.encode()):08x}"
        spare.mkdir(exist_ok=True)
        for file in spare.iterdir():
            if not Path("/proc", file.stem.rpartition("_")[2]).exists():
                file.unlink(missing_ok=True)
        os.environ[VARIABLE] = str(spare)
        _reserve(spare)


def release_files() -> None:
    """Give back what was taken of memory."""
    folder = Path(os.environ.get(VARIABLE, ""))
    if folder.parent == MEMORY:
        for file in _files(folder):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # Others of this server have theirs there.
            folder.rmdir()


def _files(folder: Path) -> list[Path]:
    return [folder / f"{kind}_{os.getpid()}.db" for kind in KINDS]


def _reserve(folder: Path) -> None:
    for file in _files(folder):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.posix_fallocate(descriptor, 0, FILE_BYTES)
        finally:
            os.close(descriptor)
