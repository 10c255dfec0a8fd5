"""The file of an audit bundle."""

from __future__ import annotations

from pathlib import Path

from gnomon import files
from gnomon.errors import SettingsError, StorageError

__all__ = ["save_bundle"]


def save_bundle(path: Path, content: bytes) -> None:
    """Write a bundle; an existing file is not replaced.

    Raises:
        SettingsError: the file exists.
        StorageError: it cannot be written.
    """
    try:
        is_new = files.create(path, content)
    except OSError as error:
        raise StorageError(f"cannot write the bundle: {error.strerror}", where=str(path)) from None
    if not is_new:
        raise SettingsError(
            "the file exists already; a bundle is never overwritten",
            where=str(path),
            hint="choose another name: --out FILE",
        )
