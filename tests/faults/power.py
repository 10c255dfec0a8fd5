"""A loss of power: a real file system that stops at once, without what was not synced."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

import psutil

__all__ = ["Power", "skip_reason"]

SHUTDOWN = 0x8004587D
"""``FS_IOC_SHUTDOWN`` of Linux: the file system takes nothing more."""
WITHOUT_FLUSHING = 2
"""``NOLOGFLUSH``: not even what its journal still has in memory."""


def skip_reason() -> str | None:
    """Why power cannot be cut here; None if it can."""
    if os.geteuid() != 0:
        return "mounting a file system takes root"
    for tool in ("mkfs.ext4", "mount", "losetup"):
        if shutil.which(tool) is None:
            return f"there is no {tool}"
    result = subprocess.run(["losetup", "--find"], capture_output=True, check=False)
    return None if result.returncode == 0 else "there is no loop device"


class Power:
    """An ext4 file system in a file.

    Attributes:
        path: where it is mounted.
    """

    def __init__(self, place: Path, size: int = 512 << 20) -> None:
        self.path = place / "disk"
        self.path.mkdir()
        self._image = place / "disk.ext4"
        with self._image.open("wb") as image:
            image.truncate(size)
        _run("mkfs.ext4", "-q", str(self._image))
        self.restore()

    def cut(self) -> None:
        """From now on nothing reaches the disk, and what was not synced never will."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", WITHOUT_FLUSHING))
        finally:
            os.close(descriptor)

    def restore(self) -> None:
        """Mount it as it is after the journal was replayed."""
        _run("mount", "-o", "loop", str(self._image), str(self.path))

    def close(self) -> None:
        """Unmount it; processes with open files there are killed, as in a loss of power."""
        for _ in range(50):
            if subprocess.run(["umount", str(self.path)], capture_output=True).returncode == 0:
                return
            for process in psutil.process_iter():
                if _uses(process, self.path):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
            time.sleep(0.1)
        _run("umount", "--lazy", str(self.path))


def _uses(process: psutil.Process, place: Path) -> bool:
    try:
        opened = [file.path for file in process.open_files()]
        return any(Path(path).is_relative_to(place) for path in [*opened, process.cwd()])
    except (psutil.Error, OSError):
        return False


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)
