"""The storage root as named objects: a local folder or ``s3://bucket/prefix``, used alike."""

from __future__ import annotations

from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from gnomon.errors import SettingsError
from gnomon.settings import Settings

__all__ = ["Storage"]


class Storage:
    """Small objects under the storage root, each written whole or not at all.

    A reader sees the old object or the new one, never a part. Locally an object is written aside,
    then linked or renamed into place; S3 does the same by itself. S3's credentials and endpoint
    come from the usual ``AWS_*`` variables.
    """

    def __init__(self, settings: Settings) -> None:
        self.root = settings.root
        try:
            if settings.is_local:
                folder = Path(settings.root).absolute()
                self._store: ObjectStore = LocalStore(folder, mkdir=True)
            else:
                self._store = from_url(settings.root)
        except (BaseError, OSError, ValueError) as error:
            raise SettingsError(
                f"cannot use the storage root {settings.root}: {_first_line(error)}",
                where="GNOMON_ROOT",
            ) from None

    def create(self, name: str, content: bytes) -> bool:
        """Write a new object; False, and nothing changed, if one of that name exists.

        Of any number of processes that create the same name, exactly one gets True.
        """
        try:
            obstore.put(self._store, name, content, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def write(self, name: str, content: bytes) -> None:
        """Write an object in place of any other of that name."""
        obstore.put(self._store, name, content)

    def read(self, name: str) -> bytes | None:
        """The object; None if there is none."""
        try:
            return bytes(obstore.get(self._store, name).bytes())
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """The names of all objects under ``folder``, sorted."""
        found = obstore.list(self._store, folder)
        return sorted(entry["path"] for page in found for entry in page)

    def remove(self, name: str) -> None:
        """Remove an object; none of that name is as good as removed."""
        try:
            obstore.delete(self._store, name)
        except FileNotFoundError:
            return


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
