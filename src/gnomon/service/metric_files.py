"""The folder of a server's metrics, with its space reserved.

``prometheus_client`` keeps metrics in files that it maps into memory, one set per process, and
``/metrics`` adds up all files in the folder. BentoML has one folder per *home*: a second server
with the same home empties it while the first runs, and then each shows the sum of both. So each
server has a separate folder here, which its gateways share.

A file gets space on the disk as it is used. If the disk is full then, the process is killed by
SIGBUS. So the space is reserved beforehand, in memory if the disk has none.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from gnomon.artifact.store import home
from gnomon.compat import platform
from gnomon.compat.prometheus_client import FOLDER, KINDS, LIVE_GAUGES, file_name, process_of
from gnomon.files import make_folder

__all__ = ["release_files", "reserve_files"]

FILE_BYTES = 1 << 20
"""Space for thousands of series of one kind; the number of series is limited."""
LOCK = "lock"

_locks: dict[Path, int] = {}
"""The descriptor of the lock on each folder that this process uses."""


def reserve_files() -> None:
    """Make a folder and reserve space for this process's metrics, before any metric is made.

    Folders of servers that were killed are removed.

    Raises:
        OSError: neither the disk, nor memory, nor the folder that BentoML chose has space.
    """
    chosen = os.environ.get(FOLDER)
    if chosen is None:
        return
    for base in _places():
        with contextlib.suppress(OSError):
            _take(base)
            return
    _take(Path(chosen))  # BentoML chooses a temporary folder if its home cannot be written.


def release_files() -> None:
    """Release the folder; the last gateway of a server removes it."""
    for folder in list(_locks):
        with contextlib.suppress(OSError), _locked(folder.parent):
            os.close(_locks.pop(folder))
            _remove_unused(folder)


def _take(base: Path) -> None:
    make_folder(base)
    if base.lstat().st_uid != os.getuid():  # Any user may make a folder in memory.
        raise PermissionError(errno.EPERM, "another user's folder", str(base))
    folder = base / _server()
    with _locked(base):
        for other in base.iterdir():
            if other != folder and other.is_dir() and not _is_running(other.name):
                _remove_unused(other)
        folder.mkdir(mode=0o700, exist_ok=True)
        _forget_gauges(folder)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_SH)
    try:
        _reserve(folder)
    except OSError:
        os.close(lock)
        _remove_unused(folder)
        raise
    _locks[folder] = lock
    os.environ[FOLDER] = str(folder)


def _places() -> Iterator[Path]:
    """Yield the folders to try: on disk, then in memory."""
    yield home() / "gnomon-metrics"
    memory = platform.memory_folder()
    if memory is not None:
        yield memory / f"gnomon-metrics-{os.getuid()}"


def _reserve(folder: Path) -> None:
    for kind in KINDS:
        file = folder / file_name(kind, os.getpid())
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            platform.reserve(descriptor, FILE_BYTES)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _locked(base: Path) -> Iterator[None]:
    """Hold the lock for making, releasing and removing folders in ``base``."""
    descriptor = os.open(base / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_unused(folder: Path) -> None:
    """Remove a folder that no process has locked.

    The kernel releases a lock whenever its process ends, and also has the locks of processes that
    are invisible to this one, such as those in another container.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        finally:
            os.close(descriptor)


def _server() -> str:
    """Return a name that the gateways of one server share: it identifies their parent process.

    Process ids are reused, and each container has separate ids. So the name also has the parent's
    start and the pid namespace.
    """
    parent = os.getppid()
    return f"{platform.process_space()}-{parent}-{platform.process_start(parent)}"


def _is_running(name: str) -> bool:
    """Return whether a server's parent process runs, even if its gateways are being restarted."""
    namespace, _, process = name.partition("-")
    if namespace != platform.process_space():
        return False
    pid, _, start = process.partition("-")
    return pid.isdecimal() and platform.process_start(int(pid)) == start


def _forget_gauges(folder: Path) -> None:
    """Remove gauges of gateways that died, as their values are out of date. Counters stay."""
    for file in folder.glob(LIVE_GAUGES):
        pid = process_of(file.stem)
        if pid is not None and not platform.is_running(pid):
            file.unlink(missing_ok=True)
