"""The storage root that a spool belongs to: two roots sharing one would seal each other's rows.

``root.json`` under the storage root contains a random identity, made once. ``root.json`` in a
model's folder of the spool contains the identity of its root, also if the spool is inside its root.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from gnomon import files, formats
from gnomon.errors import GnomonError, LogError, LogUnavailable
from gnomon.log.ledger import has_copies
from gnomon.log.table.log_table import LogTable
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = [
    "FORMAT",
    "check_owner",
    "check_repairable",
    "claim_spool",
    "restore_identity",
    "set_aside_damaged_identity",
]

FORMAT = 1

_FORMAT = formats.Format(
    "storage root's identity",
    FORMAT,
    hint="gnomon log repair sets it aside; its copy, in the root or in the spool, replaces it",
    damaged=LogUnavailable,
)
_NAME = "root.json"


class RootIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """``root.json``, under the storage root and in a spool.

    Attributes:
        format: the version of this file's format.
        identity: random, made with the root.
        root: in a spool, the path or URL of the root when the spool was claimed.
    """

    format: int = FORMAT
    identity: str
    root: str = ""


def claim_spool(settings: Settings, model: str) -> None:
    """Claim a model's folder in the spool for this storage root. Call it before writing there.

    Raises:
        LogUnavailable: it belongs to another root, perhaps to this one before it was emptied, or
            its owner cannot be determined.
    """
    with _explained(settings, model) as folder:
        storage, owner = Storage(settings), _owner(folder)
        if owner is None:
            try:
                _check_sealed_here(settings, model, folder)
            except LogError as error:
                raise LogUnavailable(error.message, where=error.where, hint=error.hint) from None
            identity = _identity(storage) or _made(storage, secrets.token_hex(8))
            claimed = RootIdentity(identity=identity, root=settings.root)
            files.make_folder(folder)
            files.create(folder / _NAME, msgspec.json.encode(claimed))
            owner = _owner(folder) or claimed
        found = _identity(storage)
        if found is None and _is_within(folder, settings):
            found = _made(storage, owner.identity)
        if owner.identity != found:
            raise _of_another_root(folder, owner, found, settings)


def check_owner(settings: Settings, model: str) -> None:
    """Refuse to seal a spool of another storage root, or of this one before it was emptied.

    Raises:
        LogUnavailable: it does not belong to this root, or its owner cannot be determined.
        LogError: rows that were sealed from it are not in this root.
    """
    with _explained(settings, model) as folder:
        owner, found = _owner(folder), _identity(Storage(settings))
        if owner is not None and found is not None and owner.identity != found:
            raise _of_another_root(folder, owner, found, settings)
        if owner is None or found is None:
            _check_sealed_here(settings, model, folder)
        if owner is not None and found is None and not _is_within(folder, settings):
            raise _of_another_root(folder, owner, found, settings)


def check_repairable(settings: Settings, model: str) -> None:
    """Refuse to repair a spool of another storage root.

    A root at the same path without its identity was emptied: a repair makes it possible to continue
    without its content.

    Raises:
        LogUnavailable: it belongs to another root, or its owner cannot be determined.
    """
    with _explained(settings, model) as folder:
        owner, found = _owner(folder), _identity(Storage(settings))
        if owner is None or found == owner.identity:
            return
        emptied = owner.root == settings.root or _is_within(folder, settings)
        if found is not None or not emptied:
            raise _of_another_root(folder, owner, found, settings)


def restore_identity(settings: Settings, model: str) -> None:
    """Give a storage root that was emptied the identity recorded in its spool.

    Raises:
        LogUnavailable: a file with an identity is damaged, or the disk refuses.
    """
    with _explained(settings, model) as folder:
        owner = _owner(folder)
        if owner is not None and _identity(Storage(settings)) is None:
            _made(Storage(settings), owner.identity)


def set_aside_damaged_identity(settings: Settings, model: str) -> list[str]:
    """Move damaged identities of root or spool aside; return their new names.

    Raises:
        LogUnavailable: an identity has a newer format, or the disk refuses.
    """
    moved = []
    with _explained(settings, model) as folder:
        storage = Storage(settings)
        content = storage.read(_NAME)
        if content is not None and _is_damaged(content, _NAME):
            moved.append(f"damaged/{_NAME}")
            storage.write(moved[-1], content)
            storage.remove(_NAME)
        with suppress(FileNotFoundError):
            content = (folder / _NAME).read_bytes()
            if _is_damaged(content, str(folder / _NAME)):
                moved.append(f"damaged/spool/{model}/{_NAME}")
                storage.write(moved[-1], content)
                files.remove(folder / _NAME)
    return moved


@contextmanager
def _explained(settings: Settings, model: str) -> Iterator[Path]:
    """Yield the model's folder in the spool; turn other errors into ``LogUnavailable``."""
    folder = settings.spool_path / model
    try:
        yield folder
    except OSError as error:
        raise LogUnavailable.of("open the log", error, where=str(folder)) from None
    except (LogError, LogUnavailable):
        raise
    except GnomonError as error:
        raise LogUnavailable(
            f"cannot claim the spool: {error.message}",
            where=error.where or str(folder),
            hint=error.hint,
        ) from None


def _owner(folder: Path) -> RootIdentity | None:
    return formats.read(folder / _NAME, RootIdentity, _FORMAT)


def _identity(storage: Storage) -> str | None:
    content = storage.read(_NAME)
    if content is None:
        return None
    where = f"{storage.root.rstrip('/')}/{_NAME}"
    return formats.decode(content, RootIdentity, _FORMAT, where).identity


def _is_damaged(content: bytes, where: str) -> bool:
    try:
        formats.decode(content, RootIdentity, _FORMAT, where)
    except LogUnavailable:
        return True
    return False


def _made(storage: Storage, identity: str) -> str:
    """Create the root's identity and return it; another process may have created it first."""
    storage.create(_NAME, msgspec.json.encode(RootIdentity(identity=identity)))
    return _identity(storage) or identity


def _is_within(folder: Path, settings: Settings) -> bool:
    """Return whether the spool is inside its root and on its disk: emptied only together."""
    root = Path(settings.root).resolve()
    return (
        settings.is_local
        and folder.resolve().is_relative_to(root)
        and folder.is_dir()
        and folder.stat().st_dev == root.stat().st_dev
    )


def _check_sealed_here(settings: Settings, model: str, folder: Path) -> None:
    """Check that rows sealed from a spool are in this root, if an identity is missing.

    Raises:
        LogError: they are not: this is another root, or it was emptied.
    """
    if has_copies(folder) and not _is_within(folder, settings):
        LogTable(settings, model).read()


def _of_another_root(
    folder: Path, owner: RootIdentity, found: str | None, settings: Settings
) -> LogUnavailable:
    if owner.root != settings.root:
        return LogUnavailable(
            f"this spool belongs to another storage root, which was {owner.root}; "
            f"GNOMON_ROOT is {settings.root}",
            where=str(folder),
            hint="give each storage root a separate GNOMON_SPOOL",
        )
    without = "gnomon log repair"
    if found is not None:
        without = f"remove {folder / _NAME}, then {without}"
    return LogUnavailable(
        f"the storage root {settings.root} is not the one that this spool was written for: it "
        "was emptied or replaced, is not mounted, or is another deployment's at the same path",
        where=str(folder),
        hint=f"restore it, or use another GNOMON_SPOOL; to continue without its content: {without}",
    )
