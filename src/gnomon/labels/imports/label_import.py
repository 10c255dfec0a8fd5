"""Labels of a file, stored in parts: an import that is killed is simply run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from gnomon.contract.contract import Contract
from gnomon.contract.json_values import key_path
from gnomon.errors import InvalidRequest
from gnomon.labels.imports.label_columns import LabelColumns
from gnomon.labels.imports.label_file import open_label_file
from gnomon.labels.label import Label
from gnomon.labels.label_reader import LabelReader
from gnomon.labels.label_store import LabelStore
from gnomon.labels.targets import Target

__all__ = ["LabelImport", "RefusedLabel", "import_file"]

_PART_ROWS = 10_000
_KEPT_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class RefusedLabel:
    """A row of a file that is no label.

    Attributes:
        row: its number, from 1.
        field: the field that is wrong; empty if it is the row as a whole.
        message: what was expected and what was there.
    """

    row: int
    field: str
    message: str


@dataclass(slots=True)
class LabelImport:
    """What became of the rows of a file: rows = stored + known + empty + refused.

    Attributes:
        file: the file.
        rows: its rows.
        stored: labels that are now stored.
        known: labels that an earlier import of the same rows had stored.
        withdrawn: how many of the stored and the known ones withdraw a label: rows without a value
            whose correction number is above 0.
        empty: the other rows without a value: not known yet.
        refused: rows that are no labels.
        examples: the first that were refused.
    """

    file: str
    rows: int = 0
    stored: int = 0
    known: int = 0
    withdrawn: int = 0
    empty: int = 0
    refused: int = 0
    examples: list[RefusedLabel] = field(default_factory=list)

    def refuse(self, row: int, error: InvalidRequest) -> None:
        """Count a row that is no label."""
        self.refused += 1
        if len(self.examples) < _KEPT_EXAMPLES:
            hint = f"; {error.hint}" if error.hint else ""
            place = (error.where or "").removeprefix(".")
            self.examples.append(RefusedLabel(row, place, f"{error.message}{hint}"))


def import_file(
    store: LabelStore,
    contract: Contract,
    path: Path,
    *,
    others: Sequence[Contract] = (),
    columns: Mapping[str, str],
    source: str | None = None,
    correction: int = 0,
    zone: tzinfo | None = None,
    progress: Callable[[int], None] | None = None,
) -> LabelImport:
    """Store the labels of a CSV or Parquet file.

    Each part of it is on disk before the next is read. Rows that are no labels are left out. A row
    without any value withdraws the label of each target of the file if its correction number is
    above 0, and is not known yet otherwise.

    Args:
        store: where to.
        contract: the contract of the live artifact.
        path: the file.
        others: the contracts of other artifacts whose answers may be labelled.
        columns: columns by field, see
            :meth:`~gnomon.labels.imports.label_columns.LabelColumns.find`.
        source: the source of rows for which the file has none.
        correction: the correction number of rows for which the file has none.
        zone: the time zone of times without an offset.
        progress: called with the number of rows read since the last call.

    Raises:
        InvalidRequest: the model has no labels, or ``correction`` is not from 0 to 2**31 - 1.
        StorageError: the storage root refuses; what was stored before stays.
        TableError: the file cannot be read, or lacks a column.
    """
    correction = _whole(correction, 0, "correction")
    reader = LabelReader(contract, others, coerce=True)
    file = open_label_file(path)
    found = LabelColumns.find(file.names, contract, columns, str(path))
    row_reader = _RowReader(found, reader.targets, zone, source, correction)
    result = LabelImport(str(path))
    for table in file.read(found.names, _PART_ROWS):
        now = datetime.now(UTC)
        labels, rows = 0, list[dict[str, Any]]()
        for row in table.to_pylist():
            result.rows += 1
            try:
                label = row_reader.label(row)
                if label is None:
                    result.empty += 1
                    continue
                rows += list(reader.rows(label, now))  # All of its targets, or none.
                labels += 1
                result.withdrawn += _withdraws(label)
            except InvalidRequest as error:
                result.refuse(result.rows, error)
        if rows and store.add(reader.batch(rows)):
            result.stored += labels
        else:
            result.known += labels
        if progress is not None:
            progress(table.num_rows)
    return result


class _RowReader:
    """Makes a label of a row of a file."""

    def __init__(
        self,
        columns: LabelColumns,
        targets: tuple[Target, ...],
        zone: tzinfo | None,
        source: str | None,
        correction: int,
    ) -> None:
        self._columns = columns
        self._targets = {target.name: target for target in targets}
        self._zone = zone
        self._source = source
        self._correction = correction

    def label(self, row: Mapping[str, Any]) -> Label | None:
        """Return the label; None if the row has no value and does not withdraw one.

        Raises:
            InvalidRequest: a field is not of its type; ``where`` names it.
        """
        given = {name: row[column] for name, column in self._columns.fields.items()}
        correction = _whole(given.get("correction"), self._correction, ".correction")
        values = dict(self._values(row))
        if not values:
            if not correction:
                return None
            values = dict.fromkeys(self._columns.values)
        entity = {
            name: _json(row[column], f".entity{key_path(name)}")
            for name, column in self._columns.entity.items()
        }
        source = given.get("source")
        return Label(
            value=values[None] if None in self._columns.values else values,
            request_id=_text(given.get("request_id"), ".request_id"),
            row=_whole(given.get("row"), 0, ".row"),
            entity=entity or None,
            event_time=self._time(given.get("event_time"), ".event_time"),
            known_at=self._time(given.get("known_at"), ".known_at"),
            source=self._source if source is None else _text(source, ".source"),
            correction=correction,
        )

    def _values(self, row: Mapping[str, Any]) -> Iterator[tuple[str | None, Any]]:
        for name, column in self._columns.values.items():
            value = row[column]
            if value is None or value != value:  # NaN is how frames write a missing number.
                continue
            found = _json(value, ".value" if name is None else f".value{key_path(name)}")
            yield name, self._targets[name].parsed(found) if isinstance(found, str) else found

    def _time(self, value: Any, where: str) -> datetime | None:
        if value is None or value != value:
            return None
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time())
        try:
            found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise InvalidRequest(
                f"expected a time such as 2026-11-30T08:00:00Z, got {value!r}", where=where
            ) from None
        if found.tzinfo is not None:
            return found
        if self._zone is None:
            raise InvalidRequest(
                f"expected a time with an offset, got {value!s}",
                where=where,
                hint="give the time zone of such times: --timezone UTC",
            )
        return _in_zone(found, self._zone, where)


def _withdraws(label: Label) -> bool:
    return label.value is None or (isinstance(label.value, dict) and None in label.value.values())


def _in_zone(time: datetime, zone: tzinfo, where: str) -> datetime:
    """Return a time without an offset in a zone, whose clocks must show it exactly once."""
    earlier, later = (time.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if earlier.utcoffset() == later.utcoffset():
        return earlier
    exists = earlier.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == time
    raise InvalidRequest(
        f"{time.isoformat()} happens {'twice' if exists else 'never'} in the time zone {zone}, "
        "as clocks are changed then",
        where=where,
        hint=f"give an offset: {earlier.isoformat()} or {later.isoformat()}",
    )


def _text(value: Any, where: str) -> str | None:
    if value is None or isinstance(value, str | int | UUID):
        return None if value is None else str(value)
    raise _no_text(value, where)


def _no_text(value: Any, where: str) -> InvalidRequest:
    return InvalidRequest(
        f"expected text, got {type(value).__name__}",
        where=where,
        hint="write the column as text (string)",
    )


def _whole(value: Any, default: int, where: str) -> int:
    if value is None or value != value:
        return default
    try:
        number = int(value)
        if 0 <= number < 2**31 and (isinstance(value, str) or number == value):
            return number
    except (TypeError, ValueError):
        pass
    raise InvalidRequest(
        f"expected a whole number from 0 to 2,147,483,647, got {value!r}", where=where
    )


def _json(value: Any, where: str) -> Any:
    """Return a value of an Arrow column as it would be sent."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise _no_text(value, where)
