"""Decoding of request bodies into rows, and of rows into Arrow batches, by contract."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import pyarrow as pa
from msgspec.structs import astuple

from gnomon.contract.body_size import SOON_BYTES
from gnomon.contract.contract import Contract, Feature
from gnomon.contract.json_values import (
    Bounds,
    Value,
    ZonedTimestamp,
    has_intervals,
    in_zone,
    integer_limits,
    is_bounded,
    key_path,
    kind_text,
    limits,
    reader,
    shown,
    years,
)
from gnomon.contract.malformed_json import parse
from gnomon.contract.remedies import missing_hint, value_hint
from gnomon.contract.time_zones import zone
from gnomon.errors import BodyTooLarge, InvalidRequest

__all__ = ["Body", "Decoded", "Decoder", "Row", "read_body"]

Row = msgspec.Struct
"""One decoded record; its fields are the contract's features, in order."""

_ROWS_FIRST = re.compile(rb'\s*\{\s*"rows"\s*:')
MOST_UNKNOWN = 100
"""How many unknown fields of a body are named; the logged body contains all of them."""
LONGEST_NAME = 100
"""How many characters of an unknown field's name are kept."""

SOON_UNUSUAL_BYTES = 4_096
"""The longest unusual body of those: explaining one takes up to a microsecond per byte."""
SOON_VALUES = 10_000
"""The most values, rows times features, that can be converted to Arrow in one or two
milliseconds."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Decoded(msgspec.Struct, frozen=True):
    """A decoded request body.

    Attributes:
        rows: the records, at least one.
        single: whether the body was one record, not ``{"rows": [...]}``.
        unknown: the keys that are not features, each once, in order of appearance: the first 100,
            each cut to 100 characters.
    """

    rows: list[Row]
    single: bool
    unknown: tuple[str, ...] = ()


class Decoder:
    """A decoder of request bodies for one contract.

    A body is one record, ``{"dep_delay": 3.5, ...}``, or ``{"rows": [{...}, ...]}``. Clean bodies
    take one ``msgspec`` pass; anything unusual (``3.0`` for an integer, an extra field, a mistake)
    is read again by the readers of :mod:`gnomon.contract.json_values`. If a key is given twice, the
    last one counts, as in most JSON readers.
    """

    def __init__(self, contract: Contract, columns: Sequence[str] | None = None) -> None:
        """
        Args:
            contract: the contract to decode with.
            columns: the names of the columns of a batch; by default those of the features.
        """
        self.contract = contract
        names = contract.input_schema.names if columns is None else columns
        self.schema = pa.schema(
            [field.with_name(n) for field, n in zip(contract.input_schema, names, strict=True)]
        )
        self._struct = pa.struct(list(self.schema))
        pa.array([], self._struct)  # the first call imports pandas: now, not in a request
        self._features = {feature.name: feature for feature in contract.features}
        self._readers = {name: reader(f) for name, f in self._features.items()}
        self._fields = {name: f"f{i}" for i, name in enumerate(self._features)}
        self._defaults: dict[str, Value] = {
            name: None if f.missing == "impute" else self._readers[name](f.default)
            for name, f in self._features.items()
            if f.missing != "error"
        }
        self._row = self._row_type()
        self._record = msgspec.json.Decoder(self._row)
        self._rows = msgspec.json.Decoder(_rows_type(self._row))
        self._timestamps = [
            (
                self._fields[f.name],
                zone(f.timezone or "UTC") if f.own_offset_only else None,
                *years(f.dtype),
            )
            for f in contract.features
            if f.type == "timestamp"
        ]
        self._converted = [
            (self._fields[f.name], self._readers[f.name])
            for f in contract.features
            if f.type == "decimal" or has_intervals(f)
        ]
        self._bounds = [
            (f.name, attrgetter(self._fields[f.name]), Bounds(f))
            for f in contract.features
            if f.outside == "allow" and is_bounded(f)
        ]

    def decode(self, body: bytes, max_rows: int | None = None) -> Decoded:
        """Read a request body.

        Raises:
            MalformedBody: not JSON.
            BodyTooLarge: more than ``max_rows`` rows.
            InvalidRequest: JSON that violates the contract; ``where`` is the path of the first
                wrong value, such as ``$.rows[3].dep_delay``.
        """
        decoded = self._decode_clean(body)
        if decoded is None:
            return self._decode_any(body, max_rows)
        _check_count(decoded.rows, max_rows)
        return decoded

    def decode_soon(self, body: bytes, max_rows: int | None = None) -> Decoded | None:
        """Read a body in at most a few milliseconds, whatever it is; None if it takes longer.

        Raises:
            InvalidRequest: see :meth:`decode`.
        """
        if len(body) > SOON_BYTES:
            return None
        decoded = self._decode_clean(body)
        if decoded is None:
            return None if len(body) > SOON_UNUSUAL_BYTES else self._decode_any(body, max_rows)
        _check_count(decoded.rows, max_rows)
        return decoded if len(decoded.rows) * len(self._fields) <= SOON_VALUES else None

    def batch(self, rows: Sequence[Row]) -> pa.RecordBatch:
        """Convert decoded rows to one Arrow batch of the contract's ``input_schema``."""
        array = pa.array([astuple(row) for row in rows], self._struct)
        return pa.RecordBatch.from_struct_array(array)

    def outside(self, rows: Sequence[Row]) -> dict[str, int]:
        """Count, by feature, the accepted rows with a value outside of its domain or range."""
        counted = {name: bounds.outside([*map(get, rows)]) for name, get, bounds in self._bounds}
        return {name: count for name, count in counted.items() if count}

    def _row_type(self) -> type[Row]:
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
        for name, feature in self._features.items():
            field, kind = self._fields[name], _wire_type(feature)
            default = (self._defaults[name],) if name in self._defaults else ()
            fields.append((field, kind, *default))
        return msgspec.defstruct(
            "Row",
            fields,
            rename={field: name for name, field in self._fields.items()},
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )

    def _decode_clean(self, body: bytes) -> Decoded | None:
        """Decode the body in one pass; None if anything in it is unusual."""
        try:
            if _ROWS_FIRST.match(body):
                decoded = Decoded(self._rows.decode(body).rows, single=False)
            else:
                decoded = Decoded([self._record.decode(body)], single=True)
        except _UNREADABLE:
            return None
        if not decoded.rows or not self._timestamps_are_in_bounds(decoded.rows):
            return None
        return decoded if self._convert(decoded.rows) else None

    def _convert(self, rows: list[Row]) -> bool:
        """Convert what msgspec does not; return whether every value could be converted."""
        try:
            for field, read in self._converted:
                for row in rows:
                    value = getattr(row, field)
                    if isinstance(value, str | int | float):
                        setattr(row, field, read(value))
        except InvalidRequest:
            return False
        return True

    def _timestamps_are_in_bounds(self, rows: list[Row]) -> bool:
        for field, home, first, last in self._timestamps:
            for row in rows:
                time: dt.datetime | None = getattr(row, field)
                if time is None:
                    continue
                if not first <= time.year <= last:
                    return False
                if home is not None and time.tzinfo is not home and not in_zone(time, home):
                    return False
        return True

    def _decode_any(self, body: bytes, max_rows: int | None) -> Decoded:
        content = read_body(body, self._features)
        unknown = dict.fromkeys(content.unknown)
        if content.single:
            return Decoded(
                [self._read(content.rows[0], "$", unknown)], True, _bounded_names(unknown)
            )
        _check_count(content.rows, max_rows)
        rows = [
            self._read(record, f"$.rows[{i}]", unknown) for i, record in enumerate(content.rows)
        ]
        return Decoded(rows, False, _bounded_names(unknown))

    def _read(self, record: Any, path: str, unknown: dict[str, None]) -> Row:
        if not isinstance(record, Mapping):
            raise InvalidRequest(f"expected an object, got {shown(record)}", where=path)
        unknown_names = [name for name in record if name not in self._features]
        unknown.update(dict.fromkeys(unknown_names))
        values: dict[str, Value] = {}
        for name, read in self._readers.items():
            if name in record:
                try:
                    values[self._fields[name]] = read(record[name])
                except InvalidRequest as error:
                    error.where = path + key_path(name)
                    if error.breach is not None and error.hint is None:
                        error.hint = value_hint(self._features[name], error.breach, record[name])
                    raise
            elif name not in self._defaults:
                raise InvalidRequest(
                    f"expected {kind_text(self._features[name])}, but the field is missing",
                    where=path + key_path(name),
                    hint=missing_hint(self._features[name], _bounded_names(unknown_names)),
                )
        return self._row(**values)


class Body(NamedTuple):
    """The content of a body before it is checked with a contract.

    Attributes:
        rows: what should be the records, at least one.
        single: whether the body was one record, not ``{"rows": [...]}``.
        unknown: the keys next to ``rows``.
    """

    rows: list[Any]
    single: bool
    unknown: tuple[str, ...] = ()


def read_body(body: bytes, features: Collection[str] = ()) -> Body:
    """Parse a body as JSON and find its records.

    Args:
        body: the body of a request.
        features: the names of the features. If ``rows`` is one of them, a body has records if its
            ``rows`` are objects: no feature is a list of objects.

    Raises:
        MalformedBody: not JSON.
        InvalidRequest: JSON without records.
    """
    content = parse(body)
    if not isinstance(content, dict):
        raise InvalidRequest(
            f"expected an object, got {shown(content)}",
            where="$",
            hint='send one record, or {"rows": [...]} for several',
        )
    if "rows" not in content or ("rows" in features and not _are_objects(content["rows"])):
        return Body([content], True)
    records = content.pop("rows")
    if not isinstance(records, list):
        raise InvalidRequest(f"expected an array, got {shown(records)}", where="$.rows")
    if not records:
        raise InvalidRequest("expected at least one row, got []", where="$.rows")
    return Body(records, False, tuple(content))


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _check_count(rows: Sequence[Any], most: int | None) -> None:
    if most is not None and len(rows) > most:
        raise BodyTooLarge(
            f"expected at most {most:,} rows, got {len(rows):,}",
            where="$.rows",
            hint="send fewer rows per request, or raise GNOMON_BODY_ROWS",
        )


def _rows_type(row: type[Row]) -> Any:
    return msgspec.defstruct("Rows", [("rows", list[row])], forbid_unknown_fields=True)  # type: ignore[valid-type]


def _wire_type(feature: Feature) -> Any:
    """Return the msgspec type of a feature: what the fast path accepts."""
    kind = _WIRE[feature.type](feature)
    return kind | None if feature.nullable else kind


def _integer_type(feature: Feature) -> Any:
    if feature.domain is not None and feature.outside == "error":
        return Literal[feature.domain]
    low, high = integer_limits(feature.dtype)
    if feature.outside == "error":
        low = low if feature.minimum is None else max(low, math.ceil(feature.minimum))
        high = high if feature.maximum is None else min(high, math.floor(feature.maximum))
    return Annotated[int, msgspec.Meta(ge=low, le=high)]


def _list_type(feature: Feature) -> Any:
    item = _ITEMS[feature.items or "float"]
    length = msgspec.Meta(min_length=feature.length, max_length=feature.length)
    return Annotated[list[item], length]  # type: ignore[valid-type]


def _float_type(feature: Feature) -> Any:
    low, high = limits(feature)
    return Annotated[float, msgspec.Meta(ge=low, le=high)]


def _text_type(feature: Feature) -> Any:
    if feature.outside == "error" and feature.domain:
        return Literal[feature.domain]
    return str


_ITEMS: dict[str, Any] = {
    "integer": Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)],
    "float": float,
    "boolean": bool,
    "string": str,
}
_WIRE: dict[str, Any] = {
    "integer": _integer_type,
    "float": _float_type,
    "boolean": lambda f: bool,
    "string": _text_type,
    "category": _text_type,
    "timestamp": lambda f: ZonedTimestamp,
    "date": lambda f: dt.date,
    "decimal": lambda f: str | int | float,
    "list": _list_type,
}


def _bounded_names(unknown: Iterable[str]) -> tuple[str, ...]:
    """Limit the number and length of unknown fields for a report."""
    return tuple(
        name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
        for name in islice(unknown, MOST_UNKNOWN)
    )
