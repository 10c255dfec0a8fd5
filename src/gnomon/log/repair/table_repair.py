"""Repair of the sealed table: rows of lost commits are added again.

They are in the data files of those commits, or in segments that were put back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from gnomon.errors import LogError
from gnomon.log.repair.whole_segments import whole_segments
from gnomon.log.sealed_account import SealedAccount
from gnomon.log.segments.segment_header import home
from gnomon.log.table.commits import (
    has_commits,
    replace_damaged_commits,
    set_aside_broken_log,
    set_aside_damaged_files,
)
from gnomon.log.table.delta import DAY, stored_schema
from gnomon.log.table.log_table import LogTable
from gnomon.log.table.maintenance import TableMaintenance
from gnomon.log.table.segment_rows import SegmentRows

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["RepairedTable", "repair_table"]

_logger = logging.getLogger("gnomon.seal")

_ADDRESS = ("slice", "stream", "segment", "offset", "request_id", "row")


@dataclass(frozen=True, kw_only=True)
class RepairedTable:
    """What was wrong with the sealed table.

    Attributes:
        set_aside: the new paths of damaged commits and files, and the missing commits.
        recounted: streams whose ledger was older than the table, ``<slice>/<stream>``.
        restored: rows that were added again, by ``<slice>/<stream>``.
        lost: rows that do not exist any more, by ``<slice>/<stream>``.
    """

    set_aside: tuple[str, ...]
    recounted: tuple[str, ...]
    restored: Mapping[str, int]
    lost: Mapping[str, int]


def repair_table(
    table: LogTable, account: SealedAccount, identity: str, spool: Path
) -> RepairedTable | None:
    """Add rows of lost commits again if they are in any file, and record the others as lost.

    Args:
        table: the model's.
        account: of this spool's sealer; not open yet.
        identity: the spool's.
        spool: the model's segments.

    Raises:
        LogError: the table cannot be read or written.
    """
    commits: tuple[str, ...] = ()
    is_new = False
    if table.folder is not None:
        version = max((ledger.version for ledger in table.ledgers().values()), default=-1)
        commits = set_aside_broken_log(table.folder, version)
        is_new = not has_commits(table.folder)
        commits += replace_damaged_commits(table.folder, version)
        if table.load() is not None:
            commits += set_aside_damaged_files(table.folder, table.data_files())
            TableMaintenance(table).forget_missing_files()
    account.open(identity)
    recounted = account.recount(spool)
    missing = account.restorable()
    restored: dict[str, int] = {}
    if missing:
        before = table.rows()
        if table.folder is not None:
            _check_ours(table, account, spool, missing)
            for rows in _left_behind(table, account, spool):
                TableMaintenance(table).restore(rows)
        for rows in _in_segments(table, account, spool):
            TableMaintenance(table).restore(rows)
        account.settle()
        after = table.rows()
        restored = {
            stream: after.get(stream, 0) - before.get(stream, 0)
            for stream in missing
            if after.get(stream, 0) != before.get(stream, 0)
        }
    lost = account.accept_losses(is_new=is_new)
    if not (commits or recounted or restored or lost):
        return None
    return RepairedTable(
        set_aside=commits, recounted=tuple(recounted), restored=restored, lost=lost
    )


def _check_ours(
    table: LogTable, account: SealedAccount, spool: Path, missing: Mapping[str, int]
) -> None:
    """Check that the files have no more rows than are missing: those are of another table.

    Raises:
        LogError: they have more.
    """
    addresses = [rows.select(list(_ADDRESS)) for rows in _left_behind(table, account, spool)]
    if not addresses:
        return
    found = pa.concat_tables(addresses).group_by(list(_ADDRESS)).aggregate([])
    for counts in found.group_by(["slice", "stream"]).aggregate([([], "count_all")]).to_pylist():
        name, rows = f"{counts['slice']}/{counts['stream']}", counts["count_all"]
        if rows > missing.get(name, 0):
            raise LogError(
                f"expected at most {missing.get(name, 0):,} lost rows of {name} in data files "
                f"that no commit names, found {rows:,}: files of another table are among them",
                where=table.uri,
                hint="move them out of this folder; those of this table are named in its commits, "
                "in a backup or in _damaged",
            )


def _left_behind(table: LogTable, account: SealedAccount, spool: Path) -> Iterator[pa.Table]:
    """Yield sealed rows that are not in the table, from Parquet files that no commit names."""
    import pyarrow.parquet

    assert table.folder is not None
    opened = table.load()
    named = set() if opened is None else {Path(file).name for file in opened.file_uris()}
    for file in sorted(table.folder.rglob("*.parquet")):
        if file.name in named or "_delta_log" in file.parts:
            continue
        try:
            rows = pyarrow.parquet.ParquetFile(file).read()
        except (OSError, pa.ArrowException) as error:
            _logger.warning("%s cannot be read: %s", file, error)
            continue
        if set(_ADDRESS) <= set(rows.column_names):
            fresh = _not_in(table.load(), account.sealed_rows_of(rows, spool))
            if fresh.num_rows:
                yield fresh


def _in_segments(table: LogTable, account: SealedAccount, spool: Path) -> Iterator[pa.Table]:
    """Yield sealed rows that the table lacks, from segments that were put back.

    A segment with more rows than are missing is left: it is not the one that was sealed.
    """
    for name, rows in account.restorable().items():
        left = rows
        for reader in whole_segments(spool / name):
            if reader.sequence <= account.sealed_up_to(home(reader.schema.metadata).key):
                stored = stored_schema(table.load_or_create())
                found = SegmentRows([reader], stored)
                together = pa.Table.from_batches(found, found.schema).drop_columns(DAY.name)
                fresh = _not_in(table.load(), account.sealed_rows_of(together, spool))
                if 0 < fresh.num_rows <= left:
                    left -= fresh.num_rows
                    yield fresh


def _not_in(opened: DeltaTable | None, rows: pa.Table) -> pa.Table:
    """Return the rows whose address the table does not have."""
    if opened is None or not rows.num_rows:
        return rows
    try:
        known = opened.to_pyarrow_dataset().to_table(columns=list(_ADDRESS))
    except (OSError, pa.ArrowException) as error:
        raise LogError(f"cannot read the sealed log: {error}") from None
    # A join does not support lists, so only the addresses are joined, each with its row number.
    keys = rows.select(list(_ADDRESS)).append_column("place", pa.array(range(rows.num_rows)))
    fresh = keys.join(known, list(_ADDRESS), join_type="left anti")
    return rows.take(fresh.column("place").sort())
