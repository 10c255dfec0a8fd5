"""Which storage root a spool belongs to: two roots that share one would seal each other's rows.

``root.json`` under the storage root holds a random identity, made once; ``root.json`` in a model's
folder of the spool holds that of the root it belongs to. A spool inside its root needs neither.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec

from gnomon import files, formats
from gnomon.errors import GnomonError, LogUnavailable
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = ["FORMAT", "claim_spool"]

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
    """Make a model's folder in the spool this storage root's, unless it is another's.

    To be called before a stream there is written.

    Raises:
        LogUnavailable: it belongs to another root, or that cannot be found out.
        NewerFormat: a newer version of Gnomon wrote either file.
    """
    if settings.spool is None:
        return
    folder = settings.spool_path / model
    try:
        owner = formats.read(folder / _NAME, RootIdentity, _FORMAT)
        ours = _identity(Storage(settings), create=owner is None)
        if owner is None:
            assert ours is not None
            claimed = RootIdentity(identity=ours, root=settings.root)
            files.make_folder(folder)
            files.create(folder / _NAME, msgspec.json.encode(claimed))
            owner = formats.read(folder / _NAME, RootIdentity, _FORMAT) or claimed
    except OSError as error:
        raise LogUnavailable.of("claim the spool", error, where=str(folder)) from None
    except LogUnavailable:
        raise
    except GnomonError as error:
        raise LogUnavailable(f"cannot claim the spool: {error}", where=str(folder)) from None
    if owner.identity != ours:
        raise _of_another_root(folder, owner, settings)


def _identity(storage: Storage, *, create: bool) -> str | None:
    """The root's identity; None if it has none and none is to be made."""
    content = storage.read(_NAME)
    if content is None and create:
        made = RootIdentity(identity=secrets.token_hex(8))
        storage.create(_NAME, msgspec.json.encode(made))
        content = storage.read(_NAME)
    if content is None:
        return None
    where = f"{storage.root.rstrip('/')}/{_NAME}"
    return formats.decode(content, RootIdentity, _FORMAT, where).identity


def _of_another_root(folder: Path, owner: RootIdentity, settings: Settings) -> LogUnavailable:
    return LogUnavailable(
        f"this spool belongs to another storage root, which was {owner.root}; "
        f"GNOMON_ROOT is {settings.root}",
        where=str(folder),
        hint="give each storage root a GNOMON_SPOOL of its own; if this root was emptied or is not "
        f"mounted, restore it; if it is the same root, restored without its {_NAME}, "
        f"remove {folder / _NAME}",
    )
