"""A disk on which every sync takes long, without one: a library put before the C library's.

A kernel could delay a whole device, but few test machines have device-mapper. What a slow disk
shows a process is a slow ``fsync``: ``write`` ends in the page cache until memory is full. So
``fsync`` and ``fdatasync`` of every process of the server sleep, while a switch file exists.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

__all__ = ["SYNC_SECONDS", "SlowDisk"]

SYNC_SECONDS = 0.5

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

static void wait(void) { if (access(SWITCH, F_OK) == 0) usleep(DELAY); }

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait();
    return real(fd);
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait();
    return real(fd);
}
"""


class SlowDisk:
    """A switch; servers started with ``variables`` obey it.

    Args:
        folder: where the library and the switch are put.
    """

    def __init__(self, folder: Path) -> None:
        self.switch = folder / "slow"
        source, library = folder / "slow_disk.c", folder / "slow_disk.so"
        source.write_text(SOURCE)
        defined = [f'-DSWITCH="{self.switch}"', f"-DDELAY={int(SYNC_SECONDS * 1e6)}"]
        command = [
            "gcc",
            "-shared",
            "-fPIC",
            "-O2",
            *defined,
            "-o",
            str(library),
            str(source),
            "-ldl",
        ]
        subprocess.run(command, check=True)
        self.variables = {"LD_PRELOAD": str(library)}

    @staticmethod
    def is_possible() -> bool:
        """Return whether there is a compiler."""
        return shutil.which("gcc") is not None

    def set(self, slow: bool) -> None:
        """Set the delay from now on."""
        if slow:
            self.switch.touch()
        else:
            self.switch.unlink(missing_ok=True)
