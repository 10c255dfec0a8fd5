"""Write files that survive a power failure and that only their owner may read.

A file is on disk when its bytes *and* its name in the folder are synced, and the folder's name in
its parent too. ``rename`` and ``link`` alone guarantee neither. See "Durability" in the
documentation of SQLite (https://www.sqlite.org/atomiccommit.html) for the same order of steps.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from itertools import chain, count
from pathlib import Path

from gnomon.compat.platform import sync_descriptor

__all__ = [
    "apply_umask",
    "create",
    "file_mode",
    "folder_mode",
    "free_place",
    "make_folder",
    "narrow",
    "refuse_special",
    "remove",
    "replace",
    "sweep",
    "sync_file",
    "sync_folder",
    "sync_tree",
]

_DEFAULT_UMASK = 0o077
"""The default umask; ``GNOMON_UMASK`` or :func:`apply_umask` replaces it."""

LEFTOVER_SECONDS = 3600.0
"""A temporary file is renamed within milliseconds; if one is this old, its writer has died."""

_TEMPORARY = ".new"
_umask = _DEFAULT_UMASK
with contextlib.suppress(KeyError, ValueError):  # The settings refuse other values.
    _umask = int(os.environ["GNOMON_UMASK"], 8)


def apply_umask(umask: int) -> None:
    """Make files and folders with this umask in this process and its children.

    Every process of Gnomon calls it first, with the setting ``GNOMON_UMASK``, because libraries
    write files too. Files written with this module get the mode of that setting in any process,
    also where only an artifact is packed.
    """
    global _umask
    _umask = umask
    os.umask(umask)


def refuse_special(path: Path) -> None:
    """Refuse a path that is neither a file nor a folder, before it is opened.

    Opening a FIFO waits for a process at its other end, and reading a device may never end.

    Raises:
        OSError: it is a FIFO, a socket or a device, or it cannot be inspected.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = "pipe" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"
        raise OSError(errno.EINVAL, f"it is a {kind}, not a file", str(path))


def file_mode() -> int:
    """Return the mode of a new file."""
    return 0o666 & ~_umask


def folder_mode() -> int:
    """Return the mode of a new folder."""
    return 0o777 & ~_umask


def sync_file(path: Path) -> None:
    """Force a file's bytes to disk; for its name, see :func:`sync_folder`.

    Raises:
        OSError: it does not exist, or the disk refuses.
    """
    _sync(path, os.O_RDONLY)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to disk: everything that was made, renamed or removed in it.

    Raises:
        OSError: it does not exist, or the disk refuses.
    """
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, if they are missing; each is on disk when this returns.

    Raises:
        OSError: the disk refuses, or something else has that name.
    """
    for path in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=folder_mode())
            _set_mode(path, folder_mode())  # The process's umask may be stricter.
        sync_folder(path.parent)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "expected a folder", str(folder))


def narrow(folder: Path) -> None:
    """Remove everybody's right to write to a folder that a library made with that right.

    An account that may write to a folder can replace the files in it. Folders of another account
    are left as they are. So are folders open only to their group: that was set on purpose.
    """
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & stat.S_IWOTH:
        with contextlib.suppress(PermissionError):
            folder.chmod(mode & ~_umask)


def create(path: Path, content: bytes, *, mode: int | None = None) -> bool:
    """Write a file that must not exist yet; it is on disk when this returns True.

    ``mode`` is :func:`file_mode` by default. If a file of that name exists, nothing changes and the
    result is False: when several processes create the same file, exactly one gets True. A reader
    sees the complete file or none.

    Raises:
        OSError: the disk refuses; then the file does not exist.
    """
    temporary = _write_temporary(path, content, mode)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def replace(path: Path, content: bytes) -> None:
    """Write or replace a file; the new content is on disk when this returns.

    A reader finds either the old or the new content, never a part, also after a crash.

    Raises:
        OSError: the disk refuses; then the old content is still there.
    """
    temporary = _write_temporary(path, content)
    try:
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file if it exists; the removal is on disk when this returns.

    Raises:
        OSError: the disk refuses.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return
    sync_folder(path.parent)


def free_place(path: Path) -> Path:
    """Return the path, or one with a number in its name, where nothing exists yet."""
    others = (path.with_name(f"{path.stem}.{number}{path.suffix}") for number in count(1))
    return next(place for place in chain([path], others) if not place.exists())


def sync_tree(folder: Path) -> None:
    """Force a folder and everything below it to disk, with the file modes of the umask.

    Call it before the folder is renamed to the name that readers look for.

    Raises:
        OSError: the disk refuses.
    """
    for place, _, names in os.walk(folder, topdown=False):
        for path in (Path(place, name) for name in names):
            if not path.is_symlink():
                path.chmod(file_mode())
                sync_file(path)
        _set_mode(Path(place), folder_mode())
        sync_folder(Path(place))


def sweep(folder: Path, *, below: bool = True) -> None:
    """Remove temporary files of dead processes in a folder, and in the folders ``below`` it."""
    limit = time.time() - LEFTOVER_SECONDS
    for place, folders, names in os.walk(folder):
        if not below:
            folders.clear()
        for path in (Path(place, name) for name in names if _is_temporary(name)):
            with contextlib.suppress(OSError):  # Another process sweeps too.
                if path.stat().st_mtime < limit:
                    path.unlink()


def _write_temporary(path: Path, content: bytes, mode: int | None = None) -> Path:
    """Write ``content`` to a temporary file next to ``path``; listings ignore its name."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_TEMPORARY}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, file_mode() if mode is None else mode)
            file.write(content)
            file.flush()
            sync_descriptor(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith(_TEMPORARY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        sync_descriptor(descriptor)
    finally:
        os.close(descriptor)


def _set_mode(folder: Path, mode: int) -> None:
    """Set a folder's mode, but keep the set-group-id bit, which it inherits from its parent."""
    folder.chmod(mode | folder.stat().st_mode & stat.S_ISGID)
