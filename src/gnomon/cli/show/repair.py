"""What a repair of the log did, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

from gnomon.log.repair import Repair
from gnomon.log.salvage import SalvagedSegment
from gnomon.log.sealed_repair import RepairedTable

__all__ = ["explain"]

_SHOWN_IDS = 20


def explain(done: Repair) -> Iterator[str]:
    """Line by line: what was found, where it is now, and what is lost."""
    if done.is_whole:
        yield "nothing is damaged"
    for place in done.misplaced:
        yield f"a segment of another stream was moved to {place}"
    for place in done.lists:
        yield f"a damaged list was rebuilt; the old one is {place}"
    for segment in done.segments:
        yield from _segment(segment)
    if done.table is not None:
        yield from _table(done.table)


def _segment(segment: SalvagedSegment) -> Iterator[str]:
    size = sum(lost.end - lost.begin for lost in segment.lost)
    yield f"{segment.segment}: {segment.kept_rows:,} rows kept, {size:,} bytes lost"
    yield f"  as it was found: {segment.set_aside}"
    if segment.after and segment.before:
        yield f"  the damage begins between requests {segment.after} and {segment.before}"
    elif segment.after:
        yield f"  the damage begins after request {segment.after}"
    elif segment.before:
        yield f"  the damage is before request {segment.before}"
    if segment.request_ids:
        yield f"  {len(segment.request_ids):,} lost requests have their id left in the damage:"
        yield from (f"    {one}" for one in segment.request_ids[:_SHOWN_IDS])
        if len(segment.request_ids) > _SHOWN_IDS:
            yield f"    and {len(segment.request_ids) - _SHOWN_IDS:,} more: --json has them all"
    else:
        yield "  no id of a lost request can be read"


def _table(table: RepairedTable) -> Iterator[str]:
    for place in table.set_aside:
        yield f"damaged part of the sealed log: {place}"
    for stream in table.recounted:
        yield f"{stream}: the ledger was older than the table; its rows were counted again"
    for stream, rows in table.restored.items():
        yield f"{stream}: {rows:,} sealed rows were restored from the files of lost commits"
    for stream, rows in table.lost.items():
        yield f"{stream}: {rows:,} sealed rows are lost"
