"""Read an external table of offline predictions and features, and find its rows by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from gnomon.contract.contract import Contract
from gnomon.errors import TableError
from gnomon.files import refuse_special
from gnomon.name_lists import as_names
from gnomon.offline.casts import as_key, as_known, as_label, as_value, micros
from gnomon.offline.column_names import KEYS, KNOWN_AT, LABEL, own_name
from gnomon.offline.row_versions import Versions
from gnomon.offline.shifts import NOW, Shift

__all__ = ["OfflineTable", "key_fields", "key_text", "read_table", "with_keys", "write_table"]

_EXAMPLES = 3
_READERS = (".csv", ".csv.gz", ".parquet", ".pq")


@dataclass(frozen=True, slots=True)
class OfflineTable:
    """A table of offline predictions whose rows can be found by key.

    Attributes:
        path: the file.
        on: the key columns.
        data: the recognised columns, under their names in the log or the trace.
        used: the meaning of each recognised table column.
        ignored: the reason why each other table column is not recognised.
        codes: the number of each row's key, which is the same for several versions; -1 where the
            key has a null.
    """

    path: str
    on: tuple[str, ...]
    rows: int
    data: pa.Table
    used: dict[str, str]
    ignored: dict[str, str]
    codes: npt.NDArray[np.int64]
    _versions: Versions
    _keys: pa.Table

    @classmethod
    def read(
        cls,
        path: Path,
        *,
        on: str | Sequence[str],
        contract: Contract,
        steps: Sequence[str],
        label: str | None = None,
        known_at: str | None = None,
    ) -> OfflineTable:
        """Read a CSV or Parquet file.

        With ``known_at`` a key may have several rows, each valid from a time on.

        Args:
            path: ending in ``.csv``, ``.csv.gz``, ``.parquet`` or ``.pq``.
            on: the key columns, by their names in the log and in the table.
            contract: the joint contract, which has the outputs and features.
            steps: the transformed columns, as ``step/column``.
            label: the column of the label (ground truth).
            known_at: the column of the times from which a row's values were known; null means
                always.

        Raises:
            TableError: the file cannot be read, has no key column, repeats a key, has keys of
                another type, or has nothing to compare; or ``known_at`` has days, or times without
                a zone.
        """
        on = as_names(on)
        fields = key_fields(on, contract)
        table = with_keys(read_table(path, contract), on)
        where = str(path)
        _check_columns(on, table, where)
        keys = pa.table({f.name: as_key(table.column(f.name), f, where) for f in fields})
        _check_columns([name for name in (label, known_at) if name], table, where)
        known = {*on, label, known_at}
        used, ignored = understand(
            [name for name in table.column_names if name not in known], contract, steps
        )
        if not used:
            raise TableError(
                "the table has nothing to compare apart from its key: "
                + "; ".join(f"`{name}` is {reason}" for name, reason in ignored.items()),
                where=where,
                hint="name columns after outputs "
                f"({_names([o.name for o in contract.outputs])}), features or step columns",
            )
        data = _data(table, used, contract, where, label=label, known_at=known_at)
        complete = np.flatnonzero(_has_no_null(keys))
        versions = Versions(
            _index(keys.take(pa.array(complete))),
            complete,
            micros(data.column(KNOWN_AT))[complete] if known_at else None,
        )
        codes = np.full(table.num_rows, -1, dtype=np.int64)
        codes[complete] = versions.codes
        offline_table = cls(where, on, table.num_rows, data, used, ignored, codes, versions, keys)
        offline_table._refuse_duplicates()
        return offline_table

    @property
    def has_versions(self) -> bool:
        """Whether a key has several rows, known at different times."""
        return self._versions.several

    def find(
        self, keys: pa.Table, row_times: pa.ChunkedArray | None = None, shift: Shift = NOW
    ) -> npt.NDArray[np.int64]:
        """Find the table's row for each row of ``keys``; -1 where it has none.

        Args:
            keys: the key columns.
            row_times: the time of each row; of several rows with the key, the latest then known is
                used.
            shift: look rows up at a shifted time.
        """
        rows = np.full(keys.num_rows, -1, dtype=np.int64)
        complete = np.flatnonzero(_has_no_null(keys))
        times = None if row_times is None else micros(row_times)[complete] + shift.micros
        rows[complete] = self._versions.find(
            _index(keys.take(pa.array(complete))), times, shift.step, foresee=not shift.hours
        )
        return rows

    def key_at(self, row: int) -> str:
        """Return the key of one row of the table, as text."""
        return key_text(self._keys, row)

    def _refuse_duplicates(self) -> None:
        repeated = self._versions.repeated
        if len(repeated):
            examples = "; ".join(self.key_at(int(row)) for row in repeated[:_EXAMPLES])
            raise TableError(
                f"{len(repeated):,} of {self.rows:,} rows repeat the key of an earlier row, such "
                f"as {examples}",
                where=self.path,
                hint="give one row per key, join on more columns, or name the column with the "
                "time each row became known (--known-at); a key may have one row per time",
            )


def _data(
    table: pa.Table,
    used: Mapping[str, str],
    contract: Contract,
    where: str,
    *,
    label: str | None,
    known_at: str | None,
) -> pa.Table:
    """Return the recognised columns under their names in the log, in the log's types."""
    types = {f.name: f.type for f in (*contract.input_schema, *contract.output_schema)}
    columns = {
        meaning: as_value(table.column(name), types.get(meaning), f"{where}: {name}")
        for name, meaning in used.items()
    }
    if label:
        columns[LABEL] = as_label(table.column(label), f"{where}: {label}")
    if known_at:
        columns[KNOWN_AT] = as_known(table.column(known_at), f"{where}: {known_at}")
    return pa.table(columns)


def _check_columns(names: Sequence[str], table: pa.Table, where: str) -> None:
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise TableError(
            f"the table has no column {_names(missing)}",
            where=where,
            hint=f"its columns are {_names(table.column_names)}",
        )


def with_keys(table: pa.Table, on: Sequence[str]) -> pa.Table:
    """Rename key columns to the log's names: ``row`` is the feature ``input/row`` if the table has
    no column of that name."""
    own = {own_name(name): name for name in on if name not in table.column_names}
    return table.rename_columns([own.get(name, name) for name in table.column_names])


def key_fields(on: str | Sequence[str], contract: Contract) -> list[pa.Field]:
    """Return the log's fields for the key columns.

    Raises:
        TableError: there is no key column, or the log does not have it.
    """
    on = as_names(on)
    if not on:
        raise TableError("expected at least one key column", hint=_key_hint(contract))
    features = {f.name: f for f in contract.input_schema}
    for name in on:
        if name not in features and name not in KEYS:
            raise TableError(f"the log has no field `{name}` to join on", hint=_key_hint(contract))
        if name in features and pa.types.is_nested(features[name].type):
            raise TableError(
                f"`{name}` is a list, and a key is one value", hint=_key_hint(contract)
            )
    return [features[n] if n in features else pa.field(n, KEYS[n]) for n in on]


def read_table(path: Path, contract: Contract, *, option: str = "--table") -> pa.Table:
    """Read a file; columns that are text in the contract are read as text.

    Args:
        path: ending in ``.csv``, ``.csv.gz``, ``.parquet`` or ``.pq``.
        contract: the contract, by which text columns are known.
        option: the command line option that takes the path, for the hint.

    Raises:
        TableError: there is no such file, its ending is unknown, or its content does not match it.
    """
    if not path.exists():
        raise TableError(
            "there is no such file",
            where=str(path),
            hint=f"{option} takes the path of a CSV or Parquet file, relative to this folder",
        )
    try:
        refuse_special(path)
        if path.name.endswith((".csv", ".csv.gz")):
            table = _read_csv(path, contract)
        elif path.name.endswith((".parquet", ".pq")):
            table = pyarrow.parquet.read_table(path)
        else:
            raise TableError(
                f"cannot read a table from `{path.name}`",
                where=str(path),
                hint=f"its name should end in one of {', '.join(_READERS)}",
            )
    except (pa.ArrowException, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TableError(f"cannot read the table: {reason}", where=str(path)) from None
    duplicates = sorted({n for n in table.column_names if table.column_names.count(n) > 1})
    if duplicates:
        raise TableError(f"the table has {_names(duplicates)} more than once", where=str(path))
    return table


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table in the format of the path's ending: ``.csv``, ``.parquet`` or ``.pq``.

    Raises:
        TableError: the ending is another one, or the file cannot be written.
    """
    if path.name.endswith(".csv"):
        write = pyarrow.csv.write_csv
    elif path.name.endswith((".parquet", ".pq")):
        write = pyarrow.parquet.write_table
    else:
        raise TableError(
            f"cannot write a table as `{path.name}`",
            where=str(path),
            hint="its name should end in one of .csv, .parquet, .pq",
        )
    try:
        if path.exists():
            refuse_special(path)
        write(table, path)
    except (OSError, pa.ArrowException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TableError(f"cannot write the table: {reason}", where=str(path)) from None


def understand(
    names: Sequence[str], contract: Contract, steps: Sequence[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the meaning of each column of a table, and why other columns are ignored.

    A name is that of an output, a feature, or a step column: ``step/column``, ``step.column``, or
    only ``column`` if a single step has it.
    """
    known = {o.name for o in contract.outputs} | {f.name for f in contract.features} | set(steps)
    dotted = {step.replace("/", "."): step for step in steps}
    bare: dict[str, list[str]] = {}
    for step in steps:
        bare.setdefault(step.rpartition("/")[2], []).append(step)
    used: dict[str, str] = {}
    ignored: dict[str, str] = {}
    for name in names:
        candidates = bare.get(name, [])
        if name in known:
            meaning = name
        elif name in dotted:
            meaning = dotted[name]
        elif len(candidates) == 1:
            meaning = candidates[0]
        elif candidates:
            ignored[name] = f"a column of several steps: {_names(candidates)}"
            continue
        else:
            ignored[name] = "not an output, feature or step column"
            continue
        if meaning in used.values():
            ignored[name] = f"another name for `{meaning}`, which the table has"
        else:
            used[name] = meaning
    return used, ignored


def _read_csv(path: Path, contract: Contract) -> pa.Table:
    types = {f.name: f.type for f in (*contract.output_schema, *contract.input_schema)}
    text = {name: type_ for name, type_ in types.items() if pa.types.is_string(type_)}
    keys = {name: type_ for name, type_ in KEYS.items() if pa.types.is_string(type_)}
    for feature in contract.features:
        keys.pop(own_name(feature.name), None)  # The file's column is more likely the feature's.
    table = pyarrow.csv.read_csv(
        path, convert_options=pyarrow.csv.ConvertOptions(column_types={**keys, **text})
    )
    texts = {field.name: field.type for field in table.schema if pa.types.is_string(field.type)}
    if len(table.schema.names) > len(set(table.schema.names)) or not texts:
        return table
    # Arrow has one list of what is null for all types: "NA" is a text and no number.
    nulls = pyarrow.csv.ConvertOptions(
        include_columns=list(texts),
        column_types=texts,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    with_nulls = pyarrow.csv.read_csv(path, convert_options=nulls)
    for name in texts:
        position = table.schema.get_field_index(name)
        table = table.set_column(position, table.schema.field(position), with_nulls.column(name))
    return table


def _index(keys: pa.Table) -> pd.Index:
    columns = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in keys.columns]
    arrays: list[Any] = [column.to_numpy() for column in columns]
    return pd.Index(arrays[0]) if len(arrays) == 1 else pd.MultiIndex.from_arrays(arrays)


def _has_no_null(keys: pa.Table) -> npt.NDArray[np.bool_]:
    """Return the mask of rows whose key has no null."""
    mask = np.ones(keys.num_rows, dtype=bool)
    for column in keys.columns:
        mask &= column.is_valid().to_numpy()
    return mask


def key_text(keys: pa.Table, row: int) -> str:
    """Write one row's key as text."""
    key = {name: keys.column(name)[row].as_py() for name in keys.column_names}
    return ", ".join(f"{name}={value}" for name, value in key.items())


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _key_hint(contract: Contract) -> str:
    keys = f"the entity key is {_names(contract.entity_key)}; " if contract.entity_key else ""
    values = [feature.name for feature in contract.features if feature.type != "list"]
    return keys + f"join on {_names([*values, *KEYS])}"
