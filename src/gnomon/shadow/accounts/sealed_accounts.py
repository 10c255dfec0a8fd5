"""The sealed table compared with what its sealers recorded elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gnomon.log import SegmentReader, Snapshot, stream_segments
from gnomon.log.ledger import Ledger, sealed_rows
from gnomon.shadow.accounts.accounts import SealedAccounts

if TYPE_CHECKING:
    import duckdb

__all__ = ["sealed_accounts"]


def sealed_accounts(
    snapshot: Snapshot, spool: Path | None, connection: duckdb.DuckDBPyConnection
) -> tuple[SealedAccounts, ...]:
    """The accounts of every stream that a ledger knows; streams of earlier releases are not held.

    Rows that are in the table and not in the ledger yet are counted in the spool, where their
    segments stay until they are. Where they are not there either, the ledger is an older one.

    Args:
        snapshot: of the log, with the ledgers that are not newer than its table.
        spool: the model's segments, if they are on this machine.
        connection: to the snapshot.
    """
    found: dict[str, int] = {}
    if snapshot.table is not None:
        query = "SELECT slice || '/' || stream, count(*) FROM sealed GROUP BY ALL"
        found = dict(connection.execute(query).fetchall())
    accounts = []
    for stream, sealed in sealed_rows(snapshot.ledgers).items():
        ahead = _rows_ahead(snapshot, spool, stream)
        there = found.get(stream, 0) - (ahead or 0)
        accounts.append(
            SealedAccounts(
                stream=stream,
                sealed=_less_removing(snapshot.ledgers, stream, sealed.rows, there),
                found=there,
                lost=sealed.lost,
                behind=ahead is None,
                begun=sealed.begun,
            )
        )
    return tuple(accounts)


def _rows_ahead(snapshot: Snapshot, spool: Path | None, stream: str) -> int | None:
    """Rows of a stream that the table has beyond its ledger; None if they cannot be counted."""
    rows = 0
    for ledger in snapshot.ledgers:
        sealed = ledger.streams.get(stream)
        if sealed is None:
            continue
        reached = snapshot.sealed_up_to(f"{stream}/{sealed.identity}")
        ahead = range(sealed.sequence + 1, reached + 1)
        there = [] if spool is None or not ahead else stream_segments(spool / stream)
        segments = [segment for segment in there if segment.sequence in ahead]
        if len(segments) < len(ahead):
            return None
        for segment in segments:
            with SegmentReader(segment.path, segment.closed) as reader:
                rows += reader.verify()
    return rows


def _less_removing(ledgers: tuple[Ledger, ...], stream: str, sealed: int, found: int) -> int:
    """The rows to expect while retention removes some: with them until it has, then without."""
    removing = sum(
        ledger.removing.rows.get(stream, 0) for ledger in ledgers if ledger.removing is not None
    )
    return found if sealed - removing <= found < sealed else sealed
