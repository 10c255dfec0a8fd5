"""Named objects in the storage root, which is a local folder or ``s3://bucket/prefix``."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore, from_url

from gnomon import files
from gnomon.errors import SettingsError, StorageError
from gnomon.settings import Settings

__all__ = ["Storage"]

FOLDERS = (
    "heads",
    "labels",
    "manifests",
    "policies",
    "reports",
    "rollout",
    "sealed",
    "skew",
    "slices",
    "tokens",
)
"""The folders of small objects under the root. The log has others."""


class Storage:
    """Small objects under the storage root, each written completely or not at all.

    A reader sees the old object or the new one, never a part, and an object is on disk when the
    call that writes it returns. S3 guarantees this itself; its credentials and endpoint come from
    the usual ``AWS_*`` variables. Every method raises :class:`~gnomon.errors.StorageError` if the
    disk or the bucket refuses: an object that cannot be read is never treated as missing.
    """

    def __init__(self, settings: Settings) -> None:
        self.root = settings.root
        self.is_local = settings.is_local
        if settings.root.startswith("file:"):
            raise SettingsError(
                f"cannot use the storage root {settings.root}: expected a folder or an s3:// URL",
                where="GNOMON_ROOT",
                hint="give the folder's path; what is written there is synced and kept private",
            )
        try:
            self._objects: _Objects = (
                _Folder(Path(settings.root).absolute())
                if settings.is_local
                else _Bucket(from_url(settings.root))
            )
        except (BaseError, OSError, ValueError) as error:
            raise SettingsError(
                f"cannot use the storage root {settings.root}: {_reason(error)}",
                where="GNOMON_ROOT",
            ) from None

    def create(self, name: str, content: bytes) -> bool:
        """Write a new object; if one of that name exists, change nothing and return False.

        When several processes create the same name, exactly one gets True.
        """
        with self._explained("write", name):
            return self._objects.create(_checked(name), content)

    def write(self, name: str, content: bytes) -> None:
        """Write an object, replacing one of that name."""
        with self._explained("write", name):
            self._objects.write(_checked(name), content)

    def read(self, name: str) -> bytes | None:
        """Return the object; None if there is none."""
        with self._explained("read", name):
            return self._objects.read(_checked(name))

    def names(self, folder: str) -> list[str]:
        """Return the names of all objects under ``folder``, sorted, without hidden files."""
        names, unlisted = self.listing(folder)
        for error in unlisted.values():
            raise error
        return names

    def listing(self, folder: str) -> tuple[list[str], dict[str, StorageError]]:
        """Return the names as :meth:`names`, and why folders under it could not be listed.

        Raises:
            StorageError: the folder itself cannot be listed.
        """
        with self._explained("list", folder):
            names, unlisted = self._objects.names(_checked(folder))
        errors = {place: self._error("list", place, error) for place, error in unlisted.items()}
        return sorted(filter(_is_ours, names)), errors

    def remove(self, name: str) -> None:
        """Remove an object; do nothing if none has that name."""
        with self._explained("remove", name):
            self._objects.remove(_checked(name))

    def sweep(self) -> None:
        """Remove temporary files that dead writers left; the log removes those of its folders."""
        self._objects.sweep()

    @contextmanager
    def _explained(self, doing: str, name: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError) as error:
            raise self._error(doing, name, error) from None

    def _error(self, doing: str, name: str, error: Exception) -> StorageError:
        return StorageError(
            f"cannot {doing} {name}: {_reason(error)}",
            where=f"{self.root.rstrip('/')}/{name}",
            hint="check the storage root: its free space, its state, its permissions",
        )


class _Objects(Protocol):
    """The store that holds the objects."""

    def create(self, name: str, content: bytes) -> bool: ...
    def write(self, name: str, content: bytes) -> None: ...
    def read(self, name: str) -> bytes | None: ...
    def names(self, folder: str) -> tuple[list[str], dict[str, OSError]]: ...
    def remove(self, name: str) -> None: ...
    def sweep(self) -> None: ...


class _Folder:
    """A folder of this machine, or one that several machines share."""

    def __init__(self, root: Path) -> None:
        existing = next(path for path in (root, *root.parents) if path.exists())
        if not existing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        self._root = root  # The first write makes the folder: reading alone leaves nothing behind.

    def create(self, name: str, content: bytes) -> bool:
        return files.create(self._root / name, content)

    def write(self, name: str, content: bytes) -> None:
        files.replace(self._root / name, content)

    def read(self, name: str) -> bytes | None:
        path = self._root / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            if path.is_symlink():  # Nothing else can have this name, so it is not just missing.
                raise OSError(errno.ENOENT, "it is a link to a file that is not there") from None
            return None

    def names(self, folder: str) -> tuple[list[str], dict[str, OSError]]:
        unlisted: dict[str, OSError] = {}

        def note(error: OSError) -> None:
            place = Path(error.filename).relative_to(self._root).as_posix()
            if isinstance(error, FileNotFoundError):
                return  # It was removed meanwhile.
            if place == folder:
                raise error
            unlisted[place] = error

        names = [
            Path(place, name).relative_to(self._root).as_posix()
            for place, _, names in os.walk(self._root / folder, onerror=note)
            for name in names
        ]
        return names, unlisted

    def remove(self, name: str) -> None:
        files.remove(self._root / name)

    def sweep(self) -> None:
        files.sweep(self._root, below=False)
        for folder in FOLDERS:
            files.sweep(self._root / folder)


class _Bucket:
    """A bucket, or a part of one. It never shows incomplete objects and has no temporary files."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def create(self, name: str, content: bytes) -> bool:
        try:
            obstore.put(self._store, name, content, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def write(self, name: str, content: bytes) -> None:
        obstore.put(self._store, name, content)

    def read(self, name: str) -> bytes | None:
        try:
            return bytes(obstore.get(self._store, name).bytes())
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> tuple[list[str], dict[str, OSError]]:
        return [entry["path"] for page in obstore.list(self._store, folder) for entry in page], {}

    def remove(self, name: str) -> None:
        try:
            obstore.delete(self._store, name)
        except FileNotFoundError:
            return

    def sweep(self) -> None:
        return None


def _checked(name: str) -> str:
    """Return a name that stays under the root.

    Raises:
        StorageError: the name leaves the root.
    """
    if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        raise StorageError(f"expected a name under the storage root, got {name!r}")
    return name


def _is_ours(name: str) -> bool:
    """Return whether a name is neither of a temporary file nor of one that a file manager left."""
    return not name.rpartition("/")[2].startswith(".")


def _reason(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or str(error).partition("\n")[0]
