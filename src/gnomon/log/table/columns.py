"""Columns of artifacts with different contracts in one log.

Two artifacts may give one feature different types, or have features whose names differ only in
case. In a table a column has one type, and names ignore case. So:

* In the sealed table the first type of a column has the plain name. A later type has a name with
  the type, ``input_hour@string``, and ``^`` before each upper-case letter. Values are never
  converted, so none is lost.
* When the log is read, a column of several types is one column: ``double`` when all are numbers,
  else ``string``, with lists as JSON. The exact values are in additional columns,
  ``input_hour@int64`` and ``input_hour@string``.

Timestamps are instants: they are stored in UTC, whatever zone the contract gives them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.errors import LogError
from gnomon.log.segments.schema import ADDRESS, COMPARISON, ENVELOPE
from gnomon.name_lists import as_names

__all__ = ["View", "stored_names"]

_UTC = pa.timestamp("us", tz="UTC")
_MARK, _ESCAPE = "@", "^"


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type in which a column is stored and read; item names of lists are dropped."""
    if pa.types.is_list(kind):
        return pa.list_(plain_type(kind.value_type))
    return _UTC if pa.types.is_timestamp(kind) else kind


def type_name(kind: pa.DataType) -> str:
    """Return a type as it is written in column names."""
    if pa.types.is_list(kind):
        return f"list({type_name(kind.value_type)})"
    return "timestamp" if pa.types.is_timestamp(kind) else str(kind)


def marked_name(name: str, kind: pa.DataType) -> str:
    """Return the name of the column with one type of a column's values."""
    return f"{name}{_MARK}{type_name(kind)}"


def stored_name(name: str, kind: pa.DataType, taken: dict[str, pa.Field]) -> str:
    """Return the table's column for a log column; ``taken``: its fields by lower-case name."""
    present = taken.get(name.lower())
    free = present is None or (present.name == name and plain_type(present.type) == kind)
    if free and _MARK not in name:
        return name
    escaped = re.sub(r"[\^@]|[A-Z]", lambda m: _ESCAPE + m[0].lower(), name)
    return marked_name(escaped, kind)


def stored_names(schema: pa.Schema, table: pa.Schema | None) -> list[str]:
    """Return the table's columns for a schema's columns, given the columns the table has."""
    taken = {field.name.lower(): field for field in table or ()}
    names = []
    for field in schema:
        kind = plain_type(field.type)
        name = stored_name(field.name, kind, taken)
        taken.setdefault(name.lower(), pa.field(name, kind))
        names.append(name)
    return names


def read_name(stored: str) -> str:
    """Return the log column to which a table's column belongs."""
    if _MARK not in stored:
        return stored
    escaped = stored.rpartition(_MARK)[0]
    return re.sub(r"\^(.)", lambda m: m[1].upper() if m[1].isalpha() else m[1], escaped)


class View:
    """One schema for batches with different schemas: segments of any contract, and the table.

    Attributes:
        schema: all columns: address, envelope, comparison, inputs and outputs in the order in which
            they were first seen, and the exact values of those with several types.
    """

    def __init__(self, schemas: Iterable[tuple[pa.Schema, bool]]) -> None:
        """Unite ``schemas``, each with whether it is the table's."""
        kinds: dict[str, list[pa.DataType]] = {
            field.name: [field.type] for part in (ADDRESS, ENVELOPE, COMPARISON) for field in part
        }
        for schema, stored in schemas:
            for field in schema:
                name = read_name(field.name) if stored else field.name
                if not name.startswith(("input_", "output_")):
                    continue
                seen = kinds.setdefault(name, [])
                if plain_type(field.type) not in seen:
                    seen.append(plain_type(field.type))
        self.schema = pa.schema(
            [pa.field(name, _united(seen)) for name, seen in kinds.items()]
            + [
                pa.field(marked_name(name, kind), kind)
                for name, seen in kinds.items()
                for kind in seen
                if len(seen) > 1
            ]
        )

    def pick(self, columns: str | Sequence[str] | None) -> pa.Schema:
        """Return the schema of these columns, or of all.

        Raises:
            LogError: the log has no such column.
        """
        if columns is None:
            return self.schema
        columns = as_names(columns)
        missing = [name for name in columns if name not in self.schema.names]
        if missing:
            raise LogError(
                f"no column {', '.join(f'`{name}`' for name in missing)} in the log",
                hint="the columns are " + ", ".join(self.schema.names),
            )
        return pa.schema([self.schema.field(name) for name in columns])

    def exact(self, name: str, kind: pa.DataType) -> str:
        """Return the column with the values that a log column has in one type.

        Where artifacts use one name with several types, the log has a column for each type.
        """
        marked = marked_name(name, plain_type(kind))
        return marked if marked in self.schema.names else name

    def holds(self, column: str, kind: pa.DataType) -> bool:
        """Return whether there is a column, and its values can be read in a type."""
        if column not in self.schema.names:
            return False
        found = self.schema.field(column).type
        return found == plain_type(kind) or (_is_number(found) and _is_number(kind))

    def sources(self, schema: pa.Schema, *, stored: bool) -> dict[str, list[str]]:
        """Return, for each of this view's columns, the columns of ``schema`` that contain it."""
        found: dict[str, list[str]] = {name: [] for name in self.schema.names}
        for source in schema:
            name = read_name(source.name) if stored else source.name
            for of in (name, marked_name(name, plain_type(source.type))):
                if of in found:
                    found[of].append(source.name)
        return found

    def conform(self, batch: pa.RecordBatch, wanted: pa.Schema, *, stored: bool) -> pa.RecordBatch:
        """Return the batch with the columns ``wanted``; a column that it lacks is null."""
        sources = self.sources(batch.schema, stored=stored)
        columns = []
        for field in wanted:
            parts = [_cast(batch.column(source), field.type) for source in sources[field.name]] or [
                pa.nulls(batch.num_rows, field.type)
            ]
            columns.append(pc.coalesce(*parts))
        return pa.record_batch(columns, schema=wanted)


def _united(kinds: Sequence[pa.DataType]) -> pa.DataType:
    if len(kinds) == 1:
        return kinds[0]
    return pa.float64() if all(map(_is_number, kinds)) else pa.string()


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    if pa.types.is_list(column.type) and pa.types.is_string(kind):
        texts = [None if items is None else _json(items) for items in column.to_pylist()]
        return pa.array(texts, kind)
    return column.cast(kind, safe=False)


def _json(items: list[Any]) -> str:
    """Write a list as DuckDB's ``to_json`` does."""
    return json.dumps(items, ensure_ascii=False, separators=(",", ":"))
