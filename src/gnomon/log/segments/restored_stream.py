"""Detect a stream's folder that is older than what was sealed of it, as after restoring a backup.

The newest segment of a stream is never sealed. So if the newest number in the folder was sealed,
the folder is an old version. A writer that continued from there would reuse numbers of segments
that are in the table, and its segments would be removed as already sealed.
"""

from __future__ import annotations

import logging
from pathlib import Path

from gnomon.errors import LogError, StorageError
from gnomon.log.ledger import read_ledgers
from gnomon.log.segments.layout import stream_identity, stream_segments
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = ["is_restored", "sealed_number"]

_logger = logging.getLogger("gnomon.log")


def sealed_number(settings: Settings, folder: Path) -> int:
    """Return the number of the last sealed segment of a stream.

    It is -1 if none was sealed, or if the storage root or a ledger cannot be read.

    Args:
        settings: they name the storage root with the ledgers.
        folder: the stream's folder.
    """
    spool = folder.parent.parent
    try:
        ledgers = read_ledgers(Storage(settings), spool.name, spool)
    except (LogError, StorageError) as error:
        _logger.warning("it is unknown what was sealed of %s: %s", folder, error)
        return -1
    name, identity = f"{folder.parent.name}/{folder.name}", stream_identity(folder)
    found = (ledger.streams.get(name) for ledger in ledgers.values())
    ours = (sealed.up_to(identity) for sealed in found if sealed is not None)
    return max(ours, default=-1)


def is_restored(settings: Settings, folder: Path) -> bool:
    """Return whether a stream's folder is older than what was sealed of it."""
    segments = stream_segments(folder)
    return bool(segments) and segments[-1].sequence <= sealed_number(settings, folder)
