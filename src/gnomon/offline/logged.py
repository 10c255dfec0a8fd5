"""The log's answered rows of one artifact and the bodies they came in, chunk by chunk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.artifact import Artifact
from gnomon.contract import Contract, Decoder
from gnomon.log import Snapshot, input_column, output_column
from gnomon.log.bodies import DecodedBodies, begins, decode
from gnomon.log.columns import marked_name, plain_type

__all__ = ["Range", "Role", "Rows"]

Role = Literal["live", "shadow"]

CHUNK_ROWS = 16_384
"""Rows held at a time while the log is read."""

ENVELOPE = ["request_id", "row", "outcome", "client_id", "arrived"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the log, as three tables of as many rows.

    Attributes:
        envelope: ``request_id``, ``row``, ``outcome``, ``client_id`` and ``arrived``.
        inputs: the features as they were decoded, by name.
        outputs: the answers, by name.
    """

    envelope: pa.Table
    inputs: pa.Table
    outputs: pa.Table

    @property
    def num_rows(self) -> int:
        """How many."""
        return int(self.envelope.num_rows)

    def without_bodies(self) -> Rows:
        """The same rows, when their bodies are not needed any more."""
        return Rows(self.envelope.select(ENVELOPE), self.inputs, self.outputs)

    def take(self, places: pa.Array) -> Rows:
        """Some of them."""
        return Rows(*(t.take(places) for t in (self.envelope, self.inputs, self.outputs)))


@dataclass(slots=True)
class Range:
    """What an artifact answered in one role within a range of arrival times.

    Attributes:
        artifact: whose answers.
        start: from this time on.
        end: before this time.
        limit: stop after this many answered rows.
        joint: what features are called in the rows; as in the artifact's contract, if not given.
        skipped: rows met so far that hold no answer, by outcome.
        logged: rows met so far.
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
    _last: dict[str, bytes | None] = field(default_factory=dict)

    @property
    def contract(self) -> Contract:
        """The artifact's contract, with the features called as in the rows."""
        return self.joint or self.artifact.contract

    def decoder(self) -> Decoder:
        """What reads bodies by that contract."""
        return Decoder(self.artifact.contract, self.contract.input_schema.names)

    def chunks(self, *, raw: bool = False) -> Iterator[Rows]:
        """The answered rows, in the order of the log.

        Args:
            raw: keep the bodies that the rows hold, for :meth:`decode`.
        """
        contract = self.artifact.contract
        inputs = self._names(input_column, contract.input_schema)
        named = self.contract.input_schema
        outputs = self._names(output_column, contract.output_schema)
        if not {*inputs, *outputs} <= set(self.log.view.schema.names):
            return  # nothing of this contract was ever logged
        envelope = [*ENVELOPE, *(["raw"] if raw else [])]
        for table in self._tables([*envelope, *inputs, *outputs]):
            yield Rows(
                envelope=table.select(envelope),
                inputs=_typed(table, inputs, named),
                outputs=_typed(table, outputs, contract.output_schema),
            )

    def decode(self, envelope: pa.Table, decoder: Decoder) -> DecodedBodies:
        """Rows read again from the bodies they came in.

        The last body is remembered: a request may go on in the next chunk, and looking for it
        would cost another reading of the log.

        Args:
            envelope: their ``request_id``, ``row``, ``arrived`` and, if it was read, ``raw``; rows
                of one request follow each other.
            decoder: of the contract to read by.
        """
        bodies = dict(self._last)
        bodies |= _bodies(envelope) if "raw" in envelope.column_names else {}
        ids = envelope.column("request_id")
        wanted = ids.take(pa.array(begins(ids)))
        missing = wanted.filter(pc.invert(pc.is_in(wanted, pa.array(bodies, pa.string()))))
        if len(missing):
            arrived = pc.min_max(envelope.column("arrived")).as_py()
            for batch in self.log.scan(
                columns=["request_id", "raw"],
                role="live",  # only live rows hold bodies
                start=arrived["min"],
                end=arrived["max"] + timedelta(microseconds=1),
            ):
                bodies |= _bodies(batch.filter(pc.is_in(batch.column("request_id"), missing)))
        last = wanted[-1:].to_pylist()
        self._last = {request: bodies[request] for request in last if request in bodies}
        return decode(envelope, bodies, decoder)

    def options(self) -> list[str]:
        """The command line options that ask for this range."""
        words = ["--role", self.role]
        for name, at in (("--start", self.start), ("--end", self.end)):
            words += [name, at.isoformat()] if at else []
        return words

    def _tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Answered rows in chunks of a useful size: a segment's batches may be of one row."""
        held: list[pa.Table] = []
        waiting, left = 0, self.limit
        for batch in self.log.scan(
            columns=columns,
            role=self.role,
            artifact=self.artifact.tag,
            start=self.start,
            end=self.end,
        ):
            held.append(self._counted(pa.Table.from_batches([batch])))
            waiting += held[-1].num_rows
            if left is not None and waiting >= left:
                self.logged -= waiting - left
                held = [pa.concat_tables(held).slice(0, left)]
                break
            if waiting >= CHUNK_ROWS:
                yield pa.concat_tables(held).combine_chunks()
                left = None if left is None else left - waiting
                held, waiting = [], 0
        rest = pa.concat_tables(held).combine_chunks() if held else None
        if rest is not None and rest.num_rows:
            yield rest

    def _counted(self, table: pa.Table) -> pa.Table:
        self.logged += table.num_rows
        good = _answered(table)
        self.skipped.update(table.filter(pc.invert(good)).column("outcome").to_pylist())
        return table.filter(good)

    def _names(self, column: Callable[[str], str], schema: pa.Schema) -> list[str]:
        """The log's columns with exactly the contract's values.

        Where artifacts give one name several types, the log has the values of each type apart.
        """
        exact = [marked_name(column(f.name), plain_type(f.type)) for f in schema]
        known = set(self.log.view.schema.names)
        return [name if name in known else name.rpartition("@")[0] for name in exact]


def _typed(table: pa.Table, columns: Iterable[str], schema: pa.Schema) -> pa.Table:
    """Columns of the log under the names and types of a contract."""
    pairs = zip(columns, schema, strict=True)
    return pa.table([table.column(name).cast(f.type) for name, f in pairs], schema=schema)


def _answered(rows: pa.RecordBatch | pa.Table) -> pa.Array:
    return pc.is_in(rows.column("outcome"), pa.array(["answered", "scored"]))


def _bodies(rows: pa.RecordBatch | pa.Table) -> dict[str, bytes | None]:
    """The bodies that these rows hold: a request's row 0 does."""
    held = rows.filter(pc.is_valid(rows.column("raw")))
    ids, raw = (held.column(name).to_pylist() for name in ("request_id", "raw"))
    return dict(zip(ids, raw, strict=True))
