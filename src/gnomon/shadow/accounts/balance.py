"""Count the accounts of a log."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.log import (
    REQUESTS,
    STOPPED,
    InferenceLog,
    Position,
    Snapshot,
    input_column,
)
from gnomon.log.lost_ranges import LostRange, lost_ranges
from gnomon.log.sampling import eligible
from gnomon.log.segments.layout import START, folders
from gnomon.shadow.accounts.accounts import LiveAccounts, LogAccounts, ShadowAccounts
from gnomon.shadow.accounts.sealed_accounts import sealed_accounts
from gnomon.shadow.feed.run import Run

if TYPE_CHECKING:
    import duckdb

__all__ = ["balance"]

_TRIES = 3
_COLUMNS = (
    "request_id", "row", "role", "outcome", "artifact", "epoch", "slice",
    "source_segment", "source_end",
)  # fmt: skip
_ELIGIBLE = pa.schema([("request_id", pa.string()), ("row", pa.int32()), ("read", pa.bool_())])


def balance(log: InferenceLog) -> LogAccounts:
    """Count the log's accounts, on a snapshot.

    Of a shadow, only the latest run in each slice of this machine is checked: the metadata of its
    segments says which rows were eligible. Records of earlier runs, or of slices of other machines,
    are counted without a check.

    Raises:
        LogError: there is no log yet, or it cannot be read.
    """
    for last in [False] * _TRIES + [True]:
        accounts = _count(log)
        # If a stream was sealed during the count, the ledger that was read is out of date.
        if last or not any(part.behind for part in accounts.sealed):
            return accounts
    raise AssertionError


def _count(log: InferenceLog) -> LogAccounts:
    runs = list(_runs(log))  # Before the snapshot, so that it contains all rows these have read.
    with log.snapshot() as snapshot, snapshot.connection(columns=_COLUMNS) as connection:
        _register_lost(connection, log)
        accounts_of_runs = [_shadow_accounts(connection, snapshot, run) for run in runs]
        shadows: dict[str, ShadowAccounts] = {}
        for accounts in [*accounts_of_runs, *_earlier(connection, runs)]:
            earlier = shadows.get(accounts.artifact)
            shadows[accounts.artifact] = accounts if earlier is None else earlier.plus(accounts)
        return LogAccounts(
            live=_live_accounts(connection),
            shadows=tuple(shadows[artifact] for artifact in sorted(shadows)),
            sealed=sealed_accounts(snapshot, log.folder, connection),
            damaged=_lost_bytes(log),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _ShadowRun:
    """A run of a shadow in a slice, and how far it has read."""

    slice: str
    run: Run
    since: Position
    read: Position
    stopped: bool
    lost: tuple[LostRange, ...]


def _runs(log: InferenceLog) -> Iterator[_ShadowRun]:
    for slice_folder in [] if log.folder is None else folders(log.folder):
        for stream in folders(slice_folder):
            run = Run.last(stream) if stream.name != REQUESTS else None
            if run is not None:
                since, read = Position.parse(run.since), run.read_to(stream)
                stopped = (stream / STOPPED).exists()
                yield _ShadowRun(slice_folder.name, run, since, read, stopped, lost_ranges(stream))


_RECORDED = """
    SELECT request_id, row, count(*) AS times, bool_or(outcome = 'scored') AS scored
    FROM log
    WHERE role = 'shadow' AND slice = $slice AND artifact = $artifact AND epoch = $epoch
        AND NOT EXISTS (
            FROM lost WHERE lost.slice = log.slice AND lost.segment = log.source_segment
                AND log.source_end > lost.begin_at AND log.source_end <= lost.end_at
        )
    GROUP BY ALL
"""
"""A shadow's records, without those of requests that are known to be lost."""

_SHADOW = f"""
    WITH recorded AS ({_RECORDED}),
    unrecorded AS (SELECT * FROM eligible ANTI JOIN recorded USING (request_id, row))
    SELECT
        (SELECT count(*) FROM eligible) AS eligible,
        (SELECT count(*) FROM recorded WHERE scored) AS scored,
        (SELECT count(*) FROM recorded WHERE NOT scored) AS failed,
        (SELECT count(*) FROM unrecorded WHERE NOT read) AS lagging,
        (SELECT count(*) FROM unrecorded WHERE read) AS missing,
        (SELECT count(*) FROM recorded WHERE times > 1) AS repeated,
        (SELECT count(*) FROM recorded ANTI JOIN eligible USING (request_id, row)) AS strange
"""

_EARLIER = """
    SELECT
        artifact,
        count(*) AS eligible,
        count(*) FILTER (outcome = 'scored') AS scored,
        count(*) FILTER (outcome != 'scored') AS failed
    FROM log ANTI JOIN latest_runs USING (slice, artifact, epoch)
    WHERE role = 'shadow'
    GROUP BY artifact
"""

_LIVE = """
    SELECT count(*) AS requests, sum(rows)::BIGINT AS received, sum(repeated)::BIGINT AS repeated
    FROM (
        SELECT max(row) + 1 AS rows, count(*) - count(DISTINCT row) AS repeated
        FROM log WHERE role = 'live' GROUP BY request_id
    )
"""


def _shadow_accounts(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, shadow_run: _ShadowRun
) -> ShadowAccounts:
    rows = pa.RecordBatchReader.from_batches(_ELIGIBLE, _eligible(snapshot, shadow_run))
    connection.register("eligible_rows", rows)
    connection.execute("CREATE OR REPLACE TEMP TABLE eligible AS SELECT * FROM eligible_rows")
    run = {
        "slice": shadow_run.slice,
        "artifact": shadow_run.run.artifact,
        "epoch": shadow_run.run.epoch,
    }
    (counts,) = _rows(connection.execute(_SHADOW, run))
    lagging_in = {shadow_run.slice: counts["lagging"]} if counts["lagging"] else {}
    return ShadowAccounts(artifact=shadow_run.run.artifact, lagging_in=lagging_in, **counts)


def _lost_bytes(log: InferenceLog) -> dict[str, int]:
    """Return the number of bytes known to be lost from each segment."""
    lost_bytes: dict[str, int] = {}
    for slice_folder in [] if log.folder is None else folders(log.folder):
        for stream in folders(slice_folder):
            for lost_range in lost_ranges(stream):
                name = f"{slice_folder.name}/{stream.name}/{lost_range.segment:08d}"
                lost_bytes[name] = lost_bytes.get(name, 0) + lost_range.end - lost_range.begin
    return lost_bytes


def _register_lost(connection: duckdb.DuckDBPyConnection, log: InferenceLog) -> None:
    """Create the table ``lost`` with the batches of requests that are known to be lost."""
    connection.execute(
        "CREATE TEMP TABLE lost (slice VARCHAR, segment VARCHAR, begin_at BIGINT, end_at BIGINT)"
    )
    for slice_folder in [] if log.folder is None else folders(log.folder):
        for lost_range in lost_ranges(slice_folder / REQUESTS):
            segment = Position(lost_range.segment, 0).segment
            row = [slice_folder.name, segment, lost_range.begin, lost_range.end]
            connection.execute("INSERT INTO lost VALUES (?, ?, ?, ?)", row)


def _earlier(
    connection: duckdb.DuckDBPyConnection, runs: list[_ShadowRun]
) -> Iterator[ShadowAccounts]:
    connection.execute(
        "CREATE TEMP TABLE latest_runs (slice VARCHAR, artifact VARCHAR, epoch BIGINT)"
    )
    for shadow_run in runs:
        key = [shadow_run.slice, shadow_run.run.artifact, shadow_run.run.epoch]
        connection.execute("INSERT INTO latest_runs VALUES (?, ?, ?)", key)
    for counts in _rows(connection.execute(_EARLIER)):
        yield ShadowAccounts(**counts)


def _live_accounts(connection: duckdb.DuckDBPyConnection) -> LiveAccounts:
    (counts,) = _rows(connection.execute(_LIVE))
    outcomes = connection.execute(
        "SELECT outcome, count(*) FROM log WHERE role = 'live' GROUP BY outcome ORDER BY outcome"
    ).fetchall()
    return LiveAccounts(**{key: n or 0 for key, n in counts.items()}, outcomes=dict(outcomes))


def _rows(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _eligible(snapshot: Snapshot, shadow_run: _ShadowRun) -> Iterator[pa.RecordBatch]:
    columns = ["request_id", "row", "role", "outcome", "slice", "segment", "offset"]
    keys = {
        name: _value_columns(snapshot, name)
        for name in map(input_column, shadow_run.run.entity_key)
    }
    value_columns = [name for names in keys.values() for name in names]
    for batch in snapshot.scan(columns=[*columns, *value_columns], role="live"):
        mask = pc.and_(pc.equal(batch["slice"], shadow_run.slice), _after(batch, shadow_run.since))
        read = pc.invert(_after(batch, shadow_run.read))
        if shadow_run.stopped:
            mask = pc.and_(mask, read)
        for lost_range in shadow_run.lost:
            mask = pc.and_(mask, pc.invert(_about(batch, lost_range)))
        for key, names in keys.items():
            if len(names) > 1:
                values = pc.coalesce(*(pc.cast(batch[name], pa.string()) for name in names))
                batch = batch.append_column(key, values)
        is_eligible = eligible(batch, shadow_run.run.entity_key, shadow_run.run.fraction)
        arrays = [batch["request_id"], batch["row"], read]
        rows = pa.RecordBatch.from_arrays(arrays, schema=_ELIGIBLE)
        yield rows.filter(pc.and_(mask, pa.array(is_eligible)))


def _about(batch: pa.RecordBatch, lost_range: LostRange) -> pa.BooleanArray:
    """Return a mask of the live rows that a shadow's lost records were about."""
    begin, end = (
        Position.parse(position) if position else START
        for position in (lost_range.read_from, lost_range.read_to)
    )
    return pc.and_(_after(batch, begin), pc.invert(_after(batch, end)))


def _value_columns(snapshot: Snapshot, column: str) -> list[str]:
    """Return the columns with the decoded values: several if the type changed, or none."""
    names = snapshot.view.schema.names
    typed = [name for name in names if name.startswith(f"{column}@")]
    return typed or [name for name in names if name == column]


def _after(batch: pa.RecordBatch, position: Position) -> pa.BooleanArray:
    """Return a mask of the rows that were written after a position."""
    segment, offset = batch["segment"], batch["offset"]
    same = pc.and_(pc.equal(segment, position.segment), pc.greater(offset, position.offset))
    return pc.or_(pc.greater(segment, position.segment), same)
