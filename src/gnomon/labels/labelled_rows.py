"""Labels joined with the rows of live, and of one shadow, that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract.contract import Contract
from gnomon.labels.key_finder import KeyFinder, row_key
from gnomon.labels.matching import ROW, Matches, match
from gnomon.labels.resolution import fates
from gnomon.labels.targets import Target, targets_of, values_of
from gnomon.log import InferenceLog, Snapshot, input_column, output_column

__all__ = ["ShadowAnswers", "labelled_rows"]

_BATCH_ROWS = 16_384
_TIMES = ("known_at", "received_at")


@dataclass(frozen=True, slots=True)
class ShadowAnswers:
    """Which shadow's answers to join: its tag and its contract."""

    artifact: str
    contract: Contract


def labelled_rows(
    log: InferenceLog,
    records: pa.Table,
    contract: Contract,
    *,
    within: timedelta,
    shadow: ShadowAnswers | None = None,
    live: str | None = None,
    inputs: Sequence[str] = (),
    start: datetime | None = None,
    end: datetime | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield every answered row that has a label, once, by time of arrival.

    Memory grows with the labels, not with the log, which is read once for live and once for the
    shadow. Rows with a contradictory or withdrawn label have none.

    Args:
        log: the model's log.
        records: stored labels, see :meth:`gnomon.labels.label_store.LabelStore.read`.
        contract: the contract by which to read labels, entities and live's answers.
        within: see :func:`gnomon.labels.matching.match`.
        shadow: a shadow whose answers to join.
        live: only rows that this artifact answered.
        inputs: features to add, besides the entity key.
        start: only rows that arrived from this time on; UTC if it has no zone.
        end: only rows that arrived before this time.

    Yields:
        Batches with these columns:

        * ``request_id``, ``row``, ``arrived`` and ``artifact``, the one that answered;
        * ``input_<feature>`` for the features of the entity key and of ``inputs``;
        * ``live_<output>`` for each output of ``contract``;
        * ``shadow_outcome`` (``scored``, ``failed``, null where the shadow did not see the row),
          ``shadow_epoch``, ``agreed``, ``flipped`` and ``shadow_<output>`` for each output of the
          shadow's contract, if there is a ``shadow``;
        * ``label``, or ``label_<target>`` for each of several targets, of which some may be null:
          a float for a number, else of the type of the output;
        * ``known_at``, since when all of the row's labels are known, and ``received_at``, when the
          last of them was received.
    """
    features = dict.fromkeys([*contract.entity_key, *inputs])
    with log.snapshot() as snapshot:
        wanted = {
            **{input_column(name): _exact(snapshot, contract, name) for name in features},
            **_outputs(snapshot, contract, "live_"),
        }
        logged = [name for name, kind in wanted.values() if snapshot.view.holds(name, kind)]
        found = match(
            records, snapshot, contract, within=within, columns=logged, start=start, end=end
        )
        labels = _labels(records, found, targets_of(contract))
        chosen = pc.is_valid(labels.column("known_at"))
        if live is not None:
            chosen = pc.and_(chosen, pc.equal(found.rows.column("artifact"), live))
        rows = _renamed(found.rows.filter(chosen), wanted)
        if shadow is not None:
            rows = _beside(rows, _shadow_rows(snapshot, rows, shadow, start, end))
    table = _beside(rows, labels.filter(chosen))
    table = table.sort_by([("arrived", "ascending"), ("request_id", "ascending")])
    yield from table.combine_chunks().to_batches(max_chunksize=_BATCH_ROWS)


_Columns = dict[str, tuple[str, pa.DataType]]
"""New column names, each with the log's column and the type to give it."""


def _exact(snapshot: Snapshot, contract: Contract, feature: str) -> tuple[str, pa.DataType]:
    kind = contract.feature(feature).arrow.type
    return snapshot.view.exact(input_column(feature), kind), kind


def _outputs(snapshot: Snapshot, contract: Contract, prefix: str) -> _Columns:
    return {
        f"{prefix}{output.name}": (
            snapshot.view.exact(output_column(output.name), output.arrow.type),
            output.arrow.type,
        )
        for output in contract.outputs
    }


def _renamed(rows: pa.Table, wanted: _Columns) -> pa.Table:
    """Return the rows with the wanted columns; one that the log does not have is null."""
    table = rows.select([name for name in ROW if name != "outcome"])
    for name, (column, kind) in wanted.items():
        values = rows.column(column).cast(kind, safe=False) if column in rows.schema.names else None
        table = table.append_column(
            pa.field(name, kind), pa.nulls(rows.num_rows, kind) if values is None else values
        )
    return table


def _beside(left: pa.Table, right: pa.Table) -> pa.Table:
    for name, column in zip(right.column_names, right.columns, strict=True):
        left = left.append_column(right.field(name), column)
    return left


def _labels(records: pa.Table, found: Matches, targets: Sequence[Target]) -> pa.Table:
    """Return the labels of each matched row; all null for a row without one."""
    rows = found.rows.num_rows
    counted = fates(records, found) == "counted"
    names = np.array(records.column("target").to_pylist(), dtype=object)
    times = {
        "known_at": pc.coalesce(records.column("known_at"), records.column("received_at")),
        "received_at": records.column("received_at"),
    }
    columns: dict[str, pa.Array] = {}
    latest = {name: np.full(rows, np.iinfo(np.int64).min) for name in _TIMES}
    for target in targets:
        chosen = np.flatnonzero(counted & (names == target.name))
        values = values_of(records.column("value").take(pa.array(chosen)), target.arrow)
        is_value = np.asarray(pc.is_valid(values))
        chosen, values = chosen[is_value], values.filter(pa.array(is_value))
        of_rows = found.places[chosen]
        source = np.full(rows, -1)
        source[of_rows] = np.arange(len(chosen))
        columns[target.column] = _take(values, source)
        for name, of_records in times.items():
            stamps = np.asarray(of_records.cast(pa.int64()))[chosen]
            latest[name][of_rows] = np.maximum(latest[name][of_rows], stamps)
    for name, stamps in latest.items():
        null = stamps == np.iinfo(np.int64).min
        columns[name] = pa.array(stamps, mask=null).cast(times[name].type)
    return pa.table(columns)


def _shadow_rows(
    snapshot: Snapshot,
    rows: pa.Table,
    shadow: ShadowAnswers,
    start: datetime | None,
    end: datetime | None,
) -> pa.Table:
    """Return the shadow's record of each row; null for a row that it did not see."""
    own: _Columns = {
        "shadow_outcome": ("outcome", pa.string()),
        "shadow_epoch": ("epoch", pa.int64()),
        "agreed": ("agreed", pa.bool_()),
        "flipped": ("flipped", pa.bool_()),
        **_outputs(snapshot, shadow.contract, "shadow_"),
    }
    known = {column for column, kind in own.values() if snapshot.view.holds(column, kind)}
    keys = row_key(rows.column("request_id"), rows.column("row"))
    finder = KeyFinder(keys)
    source = np.full(len(finder.keys), -1)
    parts: list[pa.RecordBatch] = []
    size = 0
    columns = ["request_id", "row", *dict.fromkeys(c for c, _ in own.values() if c in known)]
    scan = snapshot.scan(
        columns=columns, role="shadow", artifact=shadow.artifact, start=start, end=end
    )
    for batch in scan:
        positions, places = finder.find(row_key(batch.column("request_id"), batch.column("row")))
        if len(positions):
            parts.append(batch.take(positions))
            source[np.asarray(places)] = np.arange(size, size + len(positions))
            size += len(positions)
    found = pa.Table.from_batches(parts, snapshot.view.pick(columns))
    of_rows = source[finder.places(keys)] if len(source) else source
    return pa.table(
        {
            name: _take(found.column(column), of_rows).cast(kind, safe=False)
            if column in known
            else pa.nulls(len(of_rows), kind)
            for name, (column, kind) in own.items()
        }
    )


def _take(column: pa.ChunkedArray, places: npt.NDArray[np.int64]) -> pa.ChunkedArray:
    """Return the values at some places; null at -1."""
    return column.take(pa.array(places, mask=places < 0))
