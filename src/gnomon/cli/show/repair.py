"""Describe a repair of the log."""

from __future__ import annotations

from collections.abc import Iterator

from gnomon.log.repair.repair import Repair
from gnomon.log.repair.salvage import SalvagedSegment
from gnomon.log.repair.table_repair import RepairedTable
from gnomon.quantities import plural

__all__ = ["explain"]

_SHOWN_IDS = 20


def explain(repair: Repair) -> Iterator[str]:
    """Yield lines on what was found, where it is now, and what is lost."""
    if repair.is_whole:
        yield "nothing is damaged"
    for place in repair.returned:
        yield f"{place}: it was found in another place, and is back; nothing of it is lost"
    for place in repair.misplaced:
        yield f"a copy of a segment of another stream, or of an earlier folder: moved to {place}"
    for place, rows in repair.sealed.items():
        yield f"{place}: {plural(rows, 'row')} that the log lacked added to the sealed log"
    for place, why in repair.unread.items():
        yield f"{place}: its rows are not in the log: {why}"
    for place in repair.lists:
        yield f"a damaged list was rebuilt; the old one is {place}"
    for place, size in repair.missing.items():
        yield f"{place}: its file is gone: {plural(size, 'byte')} lost"
        yield "  lost requests cannot be identified"
    for segment in repair.segments:
        yield from _segment(segment)
    if repair.table is not None:
        yield from _table(repair.table)


def _segment(segment: SalvagedSegment) -> Iterator[str]:
    size = plural(sum(lost.end - lost.begin for lost in segment.lost), "byte")
    if segment.unreadable:
        yield f"{segment.segment}: its beginning is damaged, so nothing is kept: {size} lost"
    else:
        yield f"{segment.segment}: {plural(segment.kept_rows, 'row')} kept, {size} lost"
    yield f"  as it was found: {segment.set_aside}"
    if segment.after and segment.before:
        yield f"  the damage begins between requests {segment.after} and {segment.before}"
    elif segment.after:
        yield f"  the damage begins after request {segment.after}"
    elif segment.before:
        yield f"  the damage is before request {segment.before}"
    if segment.request_ids:
        readable = "request has its" if len(segment.request_ids) == 1 else "requests have their"
        at_least = "at least " if segment.unreadable else ""
        yield f"  {at_least}{len(segment.request_ids):,} lost {readable} id left in the damage:"
        yield from (f"    {request_id}" for request_id in segment.request_ids[:_SHOWN_IDS])
        if len(segment.request_ids) > _SHOWN_IDS:
            yield f"    and {len(segment.request_ids) - _SHOWN_IDS:,} more: --json has them all"
    else:
        yield "  no id of a lost request can be read"
    if segment.unreadable:
        yield "  other lost requests cannot be identified"


def _table(table: RepairedTable) -> Iterator[str]:
    for place in table.set_aside:
        yield f"damaged part of the sealed log: {place}"
    for stream in table.recounted:
        yield f"{stream}: the ledger was older than the table; its rows were counted again"
    for stream, rows in table.restored.items():
        were = "was" if rows == 1 else "were"
        yield (
            f"{stream}: {plural(rows, 'sealed row')} {were} restored from the files of lost commits"
        )
    for stream, rows in table.lost.items():
        yield f"{stream}: {plural(rows, 'sealed row')} {'is' if rows == 1 else 'are'} lost"
