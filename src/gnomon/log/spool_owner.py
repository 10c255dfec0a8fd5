"""Which storage root a spool belongs to: two roots that share one would seal each other's rows.

``root.json`` under the storage root holds a random identity, made once; ``root.json`` in a model's
folder of the spool holds that of the root it belongs to. A spool inside its root needs neither.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gnomon import files, formats
from gnomon.errors import GnomonError, LogUnavailable
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = ["FORMAT", "check_owner", "claim_spool", "restore_identity"]

FORMAT = 1

_FORMAT = formats.Format("storage root's identity", FORMAT, damaged=LogUnavailable)
_NAME = "root.json"


class RootIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """``root.json``, under the storage root and in a spool.

    Attributes:
        format: the version of this file's format.
        identity: random, made with the root.
        root: in a spool, where the root was when the spool was claimed.
    """

    format: int = FORMAT
    identity: str
    root: str = ""


def claim_spool(settings: Settings, model: str) -> None:
    """Make a model's folder in the spool this storage root's. To be called before it is written.

    Raises:
        LogUnavailable: it belongs to another root, perhaps to this one before it was emptied; or
            that cannot be found out.
    """
    with _explained(settings, model) as folder:
        if folder is None:
            return
        storage, owner = Storage(settings), _owner(folder)
        if owner is None:
            identity = _identity(storage) or _made(storage, secrets.token_hex(8))
            claimed = RootIdentity(identity=identity, root=settings.root)
            files.make_folder(folder)
            files.create(folder / _NAME, msgspec.json.encode(claimed))
            owner = _owner(folder) or claimed
        if owner.identity != _identity(storage):
            raise _of_another_root(folder, owner, settings)


def check_owner(settings: Settings, model: str) -> None:
    """Refuse a spool of another storage root. One that lacks its identity was perhaps emptied: that
    shows in what had been sealed.

    Raises:
        LogUnavailable: it is another's, or that cannot be found out.
    """
    with _explained(settings, model) as folder:
        owner = None if folder is None else _owner(folder)
        if folder is None or owner is None:
            return
        if (_identity(Storage(settings)) or owner.identity) != owner.identity:
            raise _of_another_root(folder, owner, settings)


def restore_identity(settings: Settings, model: str) -> None:
    """Give a storage root that was emptied the identity that its spool knows.

    Raises:
        LogUnavailable: a file with an identity is damaged, or the disk refuses.
    """
    with _explained(settings, model) as folder:
        owner = None if folder is None else _owner(folder)
        if owner is not None and _identity(Storage(settings)) is None:
            _made(Storage(settings), owner.identity)


@contextmanager
def _explained(settings: Settings, model: str) -> Iterator[Path | None]:
    """The model's folder in the spool; None where it is in its root."""
    folder = None if settings.spool is None else settings.spool_path / model
    try:
        yield folder
    except OSError as error:
        raise LogUnavailable.of("claim the spool", error, where=str(folder)) from None
    except LogUnavailable:
        raise
    except GnomonError as error:
        raise LogUnavailable(f"cannot claim the spool: {error}", where=str(folder)) from None


def _owner(folder: Path) -> RootIdentity | None:
    return formats.read(folder / _NAME, RootIdentity, _FORMAT)


def _identity(storage: Storage) -> str | None:
    content = storage.read(_NAME)
    if content is None:
        return None
    where = f"{storage.root.rstrip('/')}/{_NAME}"
    return formats.decode(content, RootIdentity, _FORMAT, where).identity


def _made(storage: Storage, identity: str) -> str:
    """The identity that the root has from now on: this one, unless another was quicker."""
    storage.create(_NAME, msgspec.json.encode(RootIdentity(identity=identity)))
    return _identity(storage) or identity


def _of_another_root(folder: Path, owner: RootIdentity, settings: Settings) -> LogUnavailable:
    if owner.root == settings.root:
        return LogUnavailable(
            f"the storage root {settings.root} is not the one that this spool was written for: it "
            "was emptied or replaced, or is not mounted",
            where=str(folder),
            hint="restore it, or go on without what was in it: gnomon log repair",
        )
    return LogUnavailable(
        f"this spool belongs to another storage root, which was {owner.root}; "
        f"GNOMON_ROOT is {settings.root}",
        where=str(folder),
        hint="give each storage root a GNOMON_SPOOL of its own",
    )
