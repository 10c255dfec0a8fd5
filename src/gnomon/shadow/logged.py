"""The log's answered rows of one artifact and the bodies they came in, chunk by chunk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.errors import LogError
from gnomon.models import Artifact
from gnomon.preprocessing import Decoder
from gnomon.shadow.bodies import Decoded, decode
from gnomon.shadow.log import Snapshot, input_column, output_column
from gnomon.shadow.log.columns import marked_name, plain_type

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
        skipped: rows met so far that hold no answer, by outcome.
        logged: rows met so far.
    """

    log: Snapshot
    artifact: Artifact
    role: Role
    start: datetime | None = None
    end: datetime | None = None
    skipped: Counter[str] = field(default_factory=Counter)
    logged: int = 0

    def chunks(self) -> Iterator[Rows]:
        """The answered rows, in the order of the log.

        Raises:
            LogError: there is none.
        """
        contract = self.artifact.contract
        inputs = self._names(map(input_column, contract.input_schema.names), contract.input_schema)
        outputs = self._names(
            map(output_column, contract.output_schema.names), contract.output_schema
        )
        found = 0
        for table in self._tables([*ENVELOPE, *inputs, *outputs]):
            found += table.num_rows
            yield Rows(
                envelope=table.select(ENVELOPE),
                inputs=_typed(table, inputs, contract.input_schema),
                outputs=_typed(table, outputs, contract.output_schema),
            )
        if not found:
            raise self._nothing()

    def decode(self, envelope: pa.Table, decoder: Decoder) -> Decoded:
        """Rows read again from the bodies they came in.

        Args:
            envelope: their ``request_id``, ``row`` and ``arrived``; rows of one request follow
                each other.
            decoder: of the contract to read by.
        """
        ids = envelope.column("request_id")
        arrived = pc.min_max(envelope.column("arrived")).as_py()
        wanted = pc.unique(ids)
        bodies: dict[str, bytes | None] = {}
        for batch in self.log.scan(
            columns=["request_id", "raw"],
            role="live",  # only live rows hold bodies
            start=arrived["min"],
            end=arrived["max"] + timedelta(microseconds=1),
        ):
            whole = pc.is_valid(batch.column("raw"))
            kept = batch.filter(pc.and_(whole, pc.is_in(batch.column("request_id"), wanted)))
            bodies.update(
                zip(
                    kept.column("request_id").to_pylist(),
                    kept.column("raw").to_pylist(),
                    strict=True,
                )
            )
        return decode(ids.to_pylist(), envelope.column("row").to_pylist(), bodies, decoder)

    def options(self) -> list[str]:
        """The command line options that ask for this range."""
        words = ["--role", self.role]
        for name, at in (("--start", self.start), ("--end", self.end)):
            words += [name, at.isoformat()] if at else []
        return words

    def _tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Answered rows in chunks of a useful size: a segment's batches may be of one row."""
        held: list[pa.Table] = []
        for batch in self.log.scan(
            columns=columns,
            role=self.role,
            artifact=self.artifact.tag,
            start=self.start,
            end=self.end,
        ):
            held.append(self._count(pa.Table.from_batches([batch])))
            if sum(table.num_rows for table in held) >= CHUNK_ROWS:
                yield pa.concat_tables(held).combine_chunks()
                held = []
        rest = pa.concat_tables(held).combine_chunks() if held else None
        if rest is not None and rest.num_rows:
            yield rest

    def _count(self, table: pa.Table) -> pa.Table:
        self.logged += table.num_rows
        good = pc.is_in(table.column("outcome"), pa.array(["answered", "scored"]))
        self.skipped.update(table.filter(pc.invert(good)).column("outcome").to_pylist())
        return table.filter(good)

    def _names(self, columns: Iterable[str], schema: pa.Schema) -> list[str]:
        """The log's columns with exactly the contract's values.

        Where artifacts give one name several types, the log has the values of each type apart.
        """
        exact = [marked_name(c, plain_type(f.type)) for c, f in zip(columns, schema, strict=True)]
        known = set(self.log.view.schema.names)
        return [name if name in known else name.rpartition("@")[0] for name in exact]

    def _nothing(self) -> LogError:
        tag = self.artifact.tag
        others = ", ".join(f"{n} {outcome}" for outcome, n in self.skipped.items())
        return LogError(
            f"the log has no answer of `{tag}` as {self.role} in this range"
            + (f", only rows that are {others}" if others else ""),
            hint="see what it has: gnomon log, grouped by role and artifact",
        )


def _typed(table: pa.Table, columns: Iterable[str], schema: pa.Schema) -> pa.Table:
    """Columns of the log under the names and types of a contract."""
    return pa.table(
        [
            table.column(column).cast(field.type)
            for column, field in zip(columns, schema, strict=True)
        ],
        schema=schema,
    )
