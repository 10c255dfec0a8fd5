"""Read the answered rows of one artifact, and their request bodies, from the log in chunks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.artifact import Artifact
from gnomon.contract import Contract, Decoder
from gnomon.log import Snapshot, input_column, output_column
from gnomon.log.bodies import DecodedBodies, begins, decode
from gnomon.log.snapshot import Role

__all__ = ["Range", "Rows"]


CHUNK_ROWS = 16_384
"""Rows held in memory at a time while the log is read."""

ENVELOPE = ["request_id", "row", "outcome", "client_id", "arrived"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the log, as three tables with the same number of rows.

    Attributes:
        envelope: ``request_id``, ``row``, ``outcome``, ``client_id`` and ``arrived``.
        inputs: the decoded features, by name.
        outputs: the answers, by name.
    """

    envelope: pa.Table
    inputs: pa.Table
    outputs: pa.Table

    @property
    def num_rows(self) -> int:
        """The number of rows."""
        return int(self.envelope.num_rows)

    def without_bodies(self) -> Rows:
        """Return the same rows without their request bodies."""
        return Rows(self.envelope.select(ENVELOPE), self.inputs, self.outputs)

    def take(self, places: pa.Array) -> Rows:
        """Return some of the rows."""
        return Rows(*(t.take(places) for t in (self.envelope, self.inputs, self.outputs)))


@dataclass(slots=True)
class Range:
    """The answers of an artifact in one role within a range of arrival times.

    Attributes:
        artifact: the artifact that answered.
        start: rows that arrived from this time on.
        end: rows that arrived before this time.
        limit: stop after this many answered rows, in the order of :meth:`chunks`.
        joint: a contract with other names for the features; the artifact's names when not given.
        skipped: rows read so far that have no answer, by outcome.
        logged: rows read so far.
        stopped: whether the limit left answered rows out.
    """

    log: Snapshot
    artifact: Artifact
    role: Role
    start: datetime | None = None
    end: datetime | None = None
    limit: int | None = None
    joint: Contract | None = None
    skipped: Counter[str] = field(default_factory=Counter)
    logged: int = 0
    stopped: bool = False
    _last: dict[str, bytes | None] = field(default_factory=dict)

    @property
    def contract(self) -> Contract:
        """The artifact's contract, with features named as in the rows."""
        return self.joint or self.artifact.contract

    def decoder(self) -> Decoder:
        """Return a decoder of bodies for that contract."""
        return Decoder(self.artifact.contract, self.contract.input_schema.names)

    def chunks(self, *, raw: bool = False) -> Iterator[Rows]:
        """Yield the answered rows, in the order of the log's files.

        Sealed rows come first, and of these the ones that were sealed last; then those that are
        not sealed yet.

        Args:
            raw: keep the request bodies that the rows have, for :meth:`decode`.
        """
        contract = self.artifact.contract
        inputs = self._names(input_column, contract.input_schema)
        feature_schema = self.contract.input_schema
        outputs = self._names(output_column, contract.output_schema)
        if not {*inputs, *outputs} <= set(self.log.view.schema.names):
            return  # nothing of this contract was ever logged
        envelope = [*ENVELOPE, *(["raw"] if raw else [])]
        for table in self._tables([*envelope, *inputs, *outputs]):
            yield Rows(
                envelope=table.select(envelope),
                inputs=_typed(table, inputs, feature_schema),
                outputs=_typed(table, outputs, contract.output_schema),
            )

    def decode(self, envelope: pa.Table, decoder: Decoder) -> DecodedBodies:
        """Decode rows again from their request bodies.

        The last body is cached, because a request may continue in the next chunk, and finding its
        body again would need another scan of the log.

        Args:
            envelope: the ``request_id``, ``row``, ``arrived`` and, if it was read, ``raw`` of the
                rows; rows of one request are consecutive.
            decoder: the decoder of the contract to use.
        """
        bodies = dict(self._last)
        bodies |= _bodies(envelope) if "raw" in envelope.column_names else {}
        ids = envelope.column("request_id")
        request_ids = ids.take(pa.array(begins(ids)))
        missing = request_ids.filter(
            pc.invert(pc.is_in(request_ids, pa.array(bodies, pa.string())))
        )
        if len(missing):
            arrived = pc.min_max(envelope.column("arrived")).as_py()
            for batch in self.log.scan(
                columns=["request_id", "raw"],
                role="live",  # only live rows hold bodies
                start=arrived["min"],
                end=arrived["max"] + timedelta(microseconds=1),
            ):
                bodies |= _bodies(batch.filter(pc.is_in(batch.column("request_id"), missing)))
        last = request_ids[-1:].to_pylist()
        self._last = {request: bodies[request] for request in last if request in bodies}
        return decode(envelope, bodies, decoder)

    def options(self) -> list[str]:
        """Return the command line options that select this range."""
        words = ["--role", self.role]
        for name, time in (("--start", self.start), ("--end", self.end)):
            words += [name, time.isoformat()] if time else []
        return words + (["--limit", str(self.limit)] if self.limit is not None else [])

    def _tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Yield answered rows in larger chunks, because a segment's batches may have one row."""
        tables: list[pa.Table] = []
        rows, remaining = 0, self.limit
        for batch in self.log.scan(
            columns=columns,
            role=self.role,
            artifact=self.artifact.tag,
            start=self.start,
            end=self.end,
        ):
            tables.append(self._keep_answered(pa.Table.from_batches([batch])))
            rows += tables[-1].num_rows
            if remaining is not None and rows > remaining:
                self.logged -= rows - remaining
                self.stopped = True
                tables = [pa.concat_tables(tables).slice(0, remaining)]
                break
            if rows >= CHUNK_ROWS:
                yield pa.concat_tables(tables).combine_chunks()
                remaining = None if remaining is None else remaining - rows
                tables, rows = [], 0
        rest = pa.concat_tables(tables).combine_chunks() if tables else None
        if rest is not None and rest.num_rows:
            yield rest

    def _keep_answered(self, table: pa.Table) -> pa.Table:
        self.logged += table.num_rows
        answered = _is_answered(table)
        self.skipped.update(table.filter(pc.invert(answered)).column("outcome").to_pylist())
        return table.filter(answered)

    def _names(self, column: Callable[[str], str], schema: pa.Schema) -> list[str]:
        """Return the names of the log's columns that have the contract's values, of its type."""
        return [self.log.view.exact(column(f.name), f.type) for f in schema]


def _typed(table: pa.Table, columns: Iterable[str], schema: pa.Schema) -> pa.Table:
    """Select columns of the log, with the names and types of a contract."""
    pairs = zip(columns, schema, strict=True)
    return pa.table([table.column(name).cast(f.type) for name, f in pairs], schema=schema)


def _is_answered(rows: pa.RecordBatch | pa.Table) -> pa.Array:
    return pc.is_in(rows.column("outcome"), pa.array(["answered", "scored"]))


def _bodies(rows: pa.RecordBatch | pa.Table) -> dict[str, bytes | None]:
    """Return the bodies by request; row 0 of a request has it."""
    with_body = rows.filter(pc.is_valid(rows.column("raw")))
    ids, raw = (with_body.column(name).to_pylist() for name in ("request_id", "raw"))
    return dict(zip(ids, raw, strict=True))
