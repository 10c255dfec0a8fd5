"""The rows that both live and a shadow answered, with the label of each as far as it is known."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from gnomon.contract import Contract
from gnomon.log import InferenceLog, input_column, output_column
from gnomon.log.sampling import units_of

__all__ = ["LABELS", "PairedRows", "PairedRun", "paired_rows"]

LABELS = pa.schema(
    [
        pa.field("request_id", pa.string()),
        pa.field("row", pa.int32()),
        pa.field("label", pa.string()),
        pa.field("known_at", pa.timestamp("us", tz="UTC")),
        pa.field("arrived", pa.timestamp("us", tz="UTC")),
    ]
)
"""The labels that :func:`paired_rows` joins: one of a row, as text, with when the row arrived."""

_BATCH_ROWS = 16_384
_PLACES = ("request_id", "row", "arrived")
_CONDITIONS = ("role", "artifact", "outcome", "against", "epoch")


@dataclass(frozen=True, slots=True)
class PairedRun:
    """The rows of one shadow beside those of one live artifact.

    Attributes:
        live: the tag of the live artifact.
        live_contract: its contract.
        shadow: the tag of the shadow.
        shadow_contract: its contract.
        epoch: the rollout epoch in which the run of the shadow began; None for all of its runs.
        start: rows that arrived from then on.
        end: rows that arrived before.
    """

    live: str
    live_contract: Contract
    shadow: str
    shadow_contract: Contract
    epoch: int | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class PairedRows:
    """Some rows that both answered.

    Attributes:
        rows: ``request_id``, ``row``, ``arrived``, ``label`` (null where it is not known),
            ``known_at``, and ``input_<feature>`` of the features that were asked for.
        units: the unit of evidence of each row: see :func:`gnomon.log.sampling.units_of`.
        live: live's outputs by name.
        shadow: the shadow's.
    """

    rows: pa.RecordBatch
    units: pa.Array
    live: dict[str, pa.Array]
    shadow: dict[str, pa.Array]


def paired_rows(
    log: InferenceLog, run: PairedRun, labels: pa.Table, features: Sequence[str] = ()
) -> Iterator[PairedRows]:
    """Yield the rows that both answered; memory grows with the labels, not with the log.

    Args:
        log: the model's log.
        run: the artifacts and their rows.
        labels: the known labels, see :data:`LABELS`.
        features: features whose values are needed, as live read them.

    Raises:
        LogError: there is no log, or it cannot be read.
    """
    with log.snapshot() as snapshot:
        logged = set(snapshot.view.schema.names)
        key = [input_column(name) for name in run.shadow_contract.entity_key]
        key = key if set(key) <= logged else []
        inputs = [input_column(name) for name in features]
        live = [output_column(output.name) for output in run.live_contract.outputs]
        shadow = [output_column(output.name) for output in run.shadow_contract.outputs]
        given = [name for name in inputs if name in logged]
        columns = {*_PLACES, *_CONDITIONS, *key, *given, *live, *shadow} & logged
        with snapshot.connection(columns=sorted(columns)) as connection:
            connection.register("labels", labels)
            query, values = _query(run, logged, key, given, live, shadow)
            found = connection.sql(query, params=values)
            batches: pa.RecordBatchReader = found.to_arrow_reader(_BATCH_ROWS)
            for batch in batches:
                yield _paired(batch, key, given, live, shadow)


def _query(
    run: PairedRun,
    logged: Container[str],
    key: list[str],
    inputs: list[str],
    live: list[str],
    shadow: list[str],
) -> tuple[str, list[Any]]:
    """Return the SQL of the join, and its values.

    Each side names its columns apart, because both may have a column of the same name.
    """

    def listed(side: str, kind: str, columns: list[str]) -> str:
        sources = (f"{side}.{_quoted(name)}" if name in logged else "NULL" for name in columns)
        return "".join(f"{source} AS {kind}_{i}, " for i, source in enumerate(sources))

    window, times = "", []
    for sign, time in ((">=", run.start), ("<", run.end)):
        if time is not None:
            window += f" AND arrived {sign} ?"
            times.append(time)
    epoch = "" if run.epoch is None else " AND epoch = ?"
    epochs = [] if run.epoch is None else [run.epoch]
    query = f"""
        SELECT s.request_id, s.row, s.arrived, labels.label, labels.known_at,
               {listed("l", "input", inputs)} {listed("s", "key", key)}
               {listed("l", "live", live)} {listed("s", "shadow", shadow)}
        FROM (SELECT * FROM log WHERE role = 'shadow' AND outcome = 'scored' AND artifact = ?
              AND against = ?{epoch}{window}) AS s
        JOIN (SELECT * FROM log WHERE role = 'live' AND outcome = 'answered' AND artifact = ?
              {window}) AS l ON l.request_id = s.request_id AND l.row = s.row
        LEFT JOIN labels ON labels.request_id = s.request_id AND labels.row = s.row
        """
    return query, [run.shadow, run.live, *epochs, *times, run.live, *times]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _paired(
    batch: pa.RecordBatch, key: list[str], inputs: list[str], live: list[str], shadow: list[str]
) -> PairedRows:
    def named(kind: str, columns: list[str]) -> dict[str, pa.Array]:
        return {name: batch.column(f"{kind}_{i}") for i, name in enumerate(columns)}

    rows = batch.select([*_PLACES, "label", "known_at"])
    for name, column in named("input", inputs).items():
        rows = rows.append_column(name, column)
    outputs = [
        {name.removeprefix(output_column("")): values for name, values in side.items()}
        for side in (named("live", live), named("shadow", shadow))
    ]
    keys = [f"key_{i}" for i in range(len(key))]
    return PairedRows(rows, units_of(batch, batch.column("request_id"), keys), *outputs)
