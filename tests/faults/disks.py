"""Disks that fill up and turn read-only: real ones where this process may mount them."""

from __future__ import annotations

import os
import resource
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

from gnomon.testing import Server
from tests.load import gateways

SIZE = 16_000_000
BALLAST = "ballast"


class Disk(ABC):
    """A small disk.

    Attributes:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def fill(self, server: Server) -> None:
        """Leave room for about a part of a batch."""

    @abstractmethod
    def free(self, server: Server) -> None:
        """Make room again."""

    @abstractmethod
    def protect(self) -> None:
        """Turn it read-only; nothing may be open on it for writing."""

    @abstractmethod
    def release(self) -> None:
        """Make it writable again."""

    @abstractmethod
    def close(self) -> None:
        """Unmount it."""


class Mounted(Disk):
    """A file system in memory; mounting it takes root."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        path.mkdir()
        _run("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "gnomon-test", str(path))

    def fill(self, server: Server) -> None:
        with (self.path / BALLAST).open("wb", buffering=0) as ballast:
            stat = os.statvfs(self.path)
            while stat.f_bavail > 1:
                ballast.write(bytes(stat.f_bsize * max(1, stat.f_bavail // 2)))
                stat = os.statvfs(self.path)

    def free(self, server: Server) -> None:
        (self.path / BALLAST).unlink()

    def protect(self) -> None:
        _run("mount", "-o", "remount,ro", str(self.path))

    def release(self) -> None:
        _run("mount", "-o", "remount,rw", str(self.path))

    def close(self) -> None:
        _run("umount", "--lazy", str(self.path))


class Limited(Disk):
    """A folder whose gateway gets limits instead; for tests that do not run as root."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        path.mkdir()

    def fill(self, server: Server) -> None:
        [gateway] = gateways(server)
        largest = max(file.stat().st_size for file in self.path.rglob("*.arrows"))
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (largest + 100, -1))

    def free(self, server: Server) -> None:
        [gateway] = gateways(server)
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (-1, -1))

    def protect(self) -> None:
        self.path.chmod(0o555)

    def release(self) -> None:
        self.path.chmod(0o755)

    def close(self) -> None:
        self.release()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)
