"""A stream's folder that is older than what was sealed of it, as one restored from a backup.

Its newest segment is never sealed, so a folder whose newest number was is an older one. If its
writer went on from there, its segments would have the numbers of others that are in the table, and
be taken for these.
"""

from __future__ import annotations

import logging
from pathlib import Path

from gnomon.errors import LogError, StorageError
from gnomon.log.layout import stream_identity, stream_segments
from gnomon.log.ledger import read_ledgers
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = ["is_restored", "sealed_number"]

_logger = logging.getLogger("gnomon.log")


def sealed_number(settings: Settings, folder: Path) -> int:
    """The number of the last segment that was sealed of a stream; -1 for none, or if that is not
    known because the storage root or a ledger cannot be read.

    Args:
        settings: where the ledgers are.
        folder: the stream's.
    """
    spool = folder.parent.parent
    try:
        ledgers = read_ledgers(Storage(settings), spool.name, spool)
    except (LogError, StorageError) as error:
        _logger.warning("cannot tell what was sealed of %s: %s", folder, error)
        return -1
    name, identity = f"{folder.parent.name}/{folder.name}", stream_identity(folder)
    found = (ledger.streams.get(name) for ledger in ledgers.values())
    ours = (sealed for sealed in found if sealed is not None and sealed.identity == identity)
    return max((sealed.sequence for sealed in ours), default=-1)


def is_restored(settings: Settings, folder: Path) -> bool:
    """Whether a stream's folder is older than what was sealed of it."""
    segments = stream_segments(folder)
    return bool(segments) and segments[-1].sequence <= sealed_number(settings, folder)
