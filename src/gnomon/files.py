"""Files that survive a loss of power, readable by their owner only.

A file is on disk when its bytes *and* the name in its folder are synced, and the same holds for the
folder's own name in its parent. ``rename`` and ``link`` alone promise neither. See "Durability" in
the documentation of SQLite (https://www.sqlite.org/atomiccommit.html) for the same order of steps.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

__all__ = [
    "FILE_MODE",
    "FOLDER_MODE",
    "create",
    "make_folder",
    "replace",
    "sync_file",
    "sync_folder",
]

FILE_MODE = 0o600
FOLDER_MODE = 0o700
"""The process's umask may take away more, never add."""


def sync_file(path: Path) -> None:
    """Force a file's bytes to disk; not its name, see :func:`sync_folder`.

    Raises:
        OSError: it is not there, or the disk refuses.
    """
    _sync(path, os.O_RDONLY)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to disk: what was made, renamed or removed in it.

    Raises:
        OSError: it is not there, or the disk refuses.
    """
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, each on disk when this returns; one that is there stays.

    Raises:
        OSError: the disk refuses, or something else has that name.
    """
    for path in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)
        sync_folder(path.parent)
    if not folder.is_dir():
        raise NotADirectoryError(f"expected a folder: {folder}")


def create(path: Path, content: bytes) -> bool:
    """Write a file that must not be there yet; it is on disk when this returns True.

    False, and nothing changes, when there is one of that name: of any number of processes that
    create the same one, exactly one gets True. A reader sees the whole file or none.

    Raises:
        OSError: the disk refuses; then there is no such file.
    """
    temporary = _write_aside(path, content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def replace(path: Path, content: bytes) -> None:
    """Write a file in place of any other of that name; the new one is on disk when this returns.

    A reader, or who comes after a crash, finds the old content or the new, never a part.

    Raises:
        OSError: the disk refuses; then the old content is still there.
    """
    temporary = _write_aside(path, content)
    try:
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _write_aside(path: Path, content: bytes) -> Path:
    """``content`` on disk under a name beside ``path`` that no listing takes for a file of ours."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
