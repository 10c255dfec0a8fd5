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
    """Return the accounts of every stream in a ledger; streams of earlier releases have no ledger.

    Rows that are in the table but not yet in the ledger are counted in the spool, where their
    segments stay until the ledger has them. If they are not there either, the ledger is out of
    date.

    Args:
        snapshot: of the log, with ledgers that are not newer than its table.
        spool: the folder of the model's segments, if it is on this machine.
        connection: to the snapshot.
    """
    rows_in_table: dict[str, int] = {}
    if snapshot.table is not None:
        query = "SELECT slice || '/' || stream, count(*) FROM sealed GROUP BY ALL"
        rows_in_table = dict(connection.execute(query).fetchall())
    accounts = []
    for stream, sealed in sealed_rows(snapshot.ledgers).items():
        ahead = _rows_ahead(snapshot, spool, stream)
        sealed_rows_in_table = rows_in_table.get(stream, 0) - (ahead or 0)
        accounts.append(
            SealedAccounts(
                stream=stream,
                sealed=_less_removing(snapshot.ledgers, stream, sealed.rows, sealed_rows_in_table),
                found=sealed_rows_in_table,
                lost=sealed.lost,
                behind=ahead is None,
                begun=sealed.begun,
            )
        )
    return tuple(accounts)


def _rows_ahead(snapshot: Snapshot, spool: Path | None, stream: str) -> int | None:
    """Count rows of a stream that the table has but its ledger lacks; None if impossible."""
    rows = 0
    for ledger in snapshot.ledgers:
        sealed = ledger.streams.get(stream)
        if sealed is None:
            continue
        reached = snapshot.sealed_up_to(f"{stream}/{sealed.identity}")
        ahead = sealed.ahead(sealed.identity, reached)
        segments_in_spool = [] if spool is None or not ahead else stream_segments(spool / stream)
        segments = [segment for segment in segments_in_spool if segment.sequence in ahead]
        if len(segments) < len(ahead):
            return None
        for segment in segments:
            with SegmentReader(segment.path, segment.closed) as reader:
                rows += reader.verify()
    return rows


def _less_removing(
    ledgers: tuple[Ledger, ...], stream: str, sealed: int, rows_in_table: int
) -> int:
    """Return the rows to expect in the table, allowing for a removal by retention under way."""
    removing = sum(
        ledger.removing.rows.get(stream, 0) for ledger in ledgers if ledger.removing is not None
    )
    return rows_in_table if sealed - removing <= rows_in_table < sealed else sealed
