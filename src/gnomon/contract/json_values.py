"""Readers of JSON values by feature, and the messages for refused values.

They define what a feature accepts. The decoder's fast path accepts a part of that and passes
everything else to these readers.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import sys
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Annotated, Any, Final

import msgspec

from gnomon.contract.feature import DECIMAL_DIGITS, Feature, Scalar
from gnomon.contract.interval_categories import interval_spellings
from gnomon.contract.time_zones import zone
from gnomon.errors import Breach, InvalidRequest, ValueRule

__all__ = [
    "EXACT",
    "Bounds",
    "Reader",
    "Value",
    "ZonedTimestamp",
    "float_limit",
    "has_intervals",
    "in_zone",
    "inside",
    "integer_limits",
    "is_bounded",
    "is_spelled",
    "key_path",
    "kind_text",
    "limits",
    "reader",
    "shown",
    "years",
]

Value = Scalar | dt.datetime | dt.date | Decimal | list[Any] | None
Reader = Callable[[Any], Value]
ZonedTimestamp = Annotated[dt.datetime, msgspec.Meta(tz=True)]

EXACT: Final = 2**53
"""A double beyond this may represent several integers."""

_JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_INTEGER_DTYPE = re.compile(r"(u?)int(8|16|32|64)(\[pyarrow\])?", re.IGNORECASE)
_NANOSECONDS = ("datetime64[ns,", "datetime64[ns]", "timestamp[ns,", "timestamp[ns]")
_HALF, _SINGLE = 65504.0, 3.4028234663852886e38
_FLOAT_LIMITS = {
    "float16": _HALF,
    "halffloat[pyarrow]": _HALF,
    "float32": _SINGLE,
    "float[pyarrow]": _SINGLE,
}
_PLAIN_KEY = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SHOWN: Final = 40
_MINUTE: Final = dt.timedelta(minutes=1)


def reader(feature: Feature) -> Reader:
    """Return the function that reads a decoded JSON value as ``feature``.

    It raises InvalidRequest, without ``where``, for a value that the feature does not accept.
    """
    read = _READERS[feature.type](feature)
    bounds = Bounds(feature) if feature.outside == "error" and is_bounded(feature) else None

    def checked(value: Any) -> Value:
        if value is None:
            if feature.nullable:
                return None
            raise _refused("null", kind_text(feature), value)
        converted = read(value)
        if bounds is not None and bounds.outside([converted]):
            raise _refused(bounds.rule, inside(feature), value)
        return converted

    return checked


class Bounds:
    """The domain or the range of a feature in training.

    Attributes:
        rule: ``domain`` or ``range``.
        known: the values of the domain; None for a range.
        low, high: the ends of the range.
    """

    def __init__(self, feature: Feature) -> None:
        self.rule: ValueRule = "range" if feature.domain is None else "domain"
        self.known = None if feature.domain is None else frozenset(feature.domain)
        self.low = -math.inf if feature.minimum is None else feature.minimum
        self.high = math.inf if feature.maximum is None else feature.maximum

    def outside(self, values: list[Any]) -> int:
        """Count how many of ``values`` are outside; null is not."""
        known_values = [value for value in values if value is not None]
        if self.known is not None:
            if self.known.issuperset(known_values):
                return 0
            return sum(value not in self.known for value in known_values)
        if not known_values or (self.low <= min(known_values) and max(known_values) <= self.high):
            return 0
        return sum(not self.low <= value <= self.high for value in known_values)


def is_bounded(feature: Feature) -> bool:
    """Return whether the contract has a domain or a range for the feature."""
    return (feature.domain, feature.minimum, feature.maximum) != (None, None, None)


def is_spelled(feature: Feature, value: Any) -> bool:
    """Return whether a value that the feature refuses would be accepted with ``coerce``."""
    try:
        reader(msgspec.structs.replace(feature, coerce=True))(value)
    except InvalidRequest:
        return False
    return not feature.coerce


def integer_limits(dtype: str) -> tuple[int, int]:
    """Return the smallest and largest integer that ``dtype`` and the log's 64 signed bits hold."""
    match = _INTEGER_DTYPE.fullmatch(dtype)
    unsigned, bits = (bool(match[1]), int(match[2])) if match else (False, 64)
    if unsigned:
        return 0, min(2**bits, 2**63) - 1
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def float_limit(dtype: str) -> float:
    """Return the largest finite number that ``dtype`` holds."""
    return _FLOAT_LIMITS.get(dtype.lower(), sys.float_info.max)


def limits(feature: Feature) -> tuple[float, float]:
    """Return the smallest and the largest number that ``feature`` accepts."""
    if feature.type == "integer":
        low, high = map(float, integer_limits(feature.dtype))
    else:
        low, high = -float_limit(feature.dtype), float_limit(feature.dtype)
    if feature.outside == "error":
        low = low if feature.minimum is None else max(low, feature.minimum)
        high = high if feature.maximum is None else min(high, feature.maximum)
    return low, high


def years(dtype: str) -> tuple[int, int]:
    """Return the first and last complete year, in any zone, that a timestamp ``dtype`` holds."""
    return (1678, 2261) if dtype.startswith(_NANOSECONDS) else (2, 9998)


def in_zone(time: dt.datetime, home: dt.tzinfo) -> bool:
    """Return whether a timestamp's offset is that of ``home`` at that instant, to the minute.

    Local mean times of a century ago had offsets with seconds, which ISO 8601 does not have.
    """
    actual, expected = time.utcoffset(), time.astimezone(home).utcoffset()
    if actual == expected:
        return True
    return actual is not None and expected is not None and abs(actual - expected) < _MINUTE


def shown(value: Any) -> str:
    """Return a value as JSON, shortened for messages."""
    if isinstance(value, list | dict):
        return "an array" if isinstance(value, list) else "an object"
    if isinstance(value, str):
        value = value[: _SHOWN + 1]
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def key_path(name: str) -> str:
    """Return the step of a JSON path for the key ``name``."""
    return f".{name}" if _PLAIN_KEY.fullmatch(name) else f"[{json.dumps(name)}]"


def inside(feature: Feature) -> str:
    """Describe a feature's domain or range in words."""
    if feature.domain is not None:
        examples = ", ".join(shown(value) for value in feature.domain[:10])
        rest = len(feature.domain) - 10
        return f"one of {examples}" + (f" and {rest} more" if rest > 0 else "")
    low, high = feature.minimum, feature.maximum
    if low is None:
        return f"{feature.type} of {_number_text(high)} or less"
    if high is None:
        return f"{feature.type} of {_number_text(low)} or more"
    return f"{feature.type} from {_number_text(low)} to {_number_text(high)}"


def _number_text(number: float | None) -> str:
    """Return the shortest text that identifies this number."""
    return repr(number).removesuffix(".0")


def _refused(rule: ValueRule, expected: str, value: Any, hint: str | None = None) -> InvalidRequest:
    return InvalidRequest.of(Breach(rule, expected, shown(value)), hint)


def _integer(feature: Feature) -> Reader:
    low, high = integer_limits(feature.dtype)

    def read(value: Any) -> int:
        number = _number(value) if feature.coerce and isinstance(value, str) else value
        if isinstance(number, float):
            if not number.is_integer():
                raise _refused("type", "integer", value)
            if abs(number) > EXACT:
                raise _refused(
                    "type",
                    "integer",
                    value,
                    "write it without a fraction or exponent; a float this large is not exact",
                )
            number = int(number)
        if not isinstance(number, int) or isinstance(number, bool):
            raise _refused("type", "integer", value)
        if not low <= number <= high:
            raise _refused("type", f"integer from {low} to {high}", value)
        return number

    return read


def _float(feature: Feature) -> Reader:
    limit = float_limit(feature.dtype)

    def read(value: Any) -> float:
        number = _number(value) if feature.coerce and isinstance(value, str) else value
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise _refused("type", "float", value)
        if not -limit <= number <= limit:
            column = f"which a column of dtype `{feature.dtype}` holds"
            raise _refused("type", f"float within ±{limit:.8g}, {column}", value)
        return float(number)

    return read


def _number(text: str) -> Any:
    """Return the number in a string written as in JSON; the string itself if it is not one."""
    if not _JSON_NUMBER.fullmatch(text):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.ValidationError:  # beyond a double
        return text


def kind_text(feature: Feature) -> str:
    """Describe the type of the feature's values in words."""
    if feature.type != "list":
        return feature.type
    length = "" if feature.length is None else f"{feature.length} "
    return f"array of {length}{feature.items} items"


def _decimal(feature: Feature) -> Reader:
    scale = feature.scale or 0
    whole = DECIMAL_DIGITS - scale

    def read(value: Any) -> Decimal:
        text = value if isinstance(value, str) else repr(value)
        if isinstance(value, bool) or not _JSON_NUMBER.fullmatch(text):
            raise _refused("type", "decimal", value, 'send it as text, such as "12.50"')
        number = Decimal(text)
        _, digits, exponent = number.normalize().as_tuple()
        assert isinstance(exponent, int)
        if -exponent > scale:
            raise _refused("type", f"decimal of {scale} digits after the point", value)
        if len(digits) + exponent > whole:
            raise _refused("type", f"decimal of {whole} digits before the point", value)
        return number.quantize(Decimal(1).scaleb(-scale), context=_WIDE)

    return read


def _date(feature: Feature) -> Reader:
    def read(value: Any) -> dt.date:
        if isinstance(value, str):
            try:
                day: dt.date = msgspec.convert(value, dt.date)
            except msgspec.ValidationError:
                pass
            else:
                return day
        raise _refused("type", "date", value, "send it as text, such as 2013-01-31")

    return read


def _list(feature: Feature) -> Reader:
    item = _READERS[feature.items or "float"](_ITEM)

    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _refused("type", kind_text(feature), value)
        if feature.length is not None and len(value) != feature.length:
            raise InvalidRequest.of(Breach("type", kind_text(feature), f"an array of {len(value)}"))
        try:
            return [item(element) for element in value]
        except InvalidRequest as error:
            got = f"an array with {error.breach.got if error.breach else 'another value'}"
            raise InvalidRequest.of(Breach("type", kind_text(feature), got)) from None

    return read


def _boolean(feature: Feature) -> Reader:
    words = {0: False, 1: True, "false": False, "true": True} if feature.coerce else {}

    def read(value: Any) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, int | str) and value in words:
            return words[value]
        raise _refused("type", "boolean", value)

    return read


def _text(feature: Feature) -> Reader:
    def read(value: Any) -> str:
        if isinstance(value, str):
            return value
        raise _refused("type", feature.type, value)

    return read


def _category(feature: Feature) -> Reader:
    read = _text(feature)
    if not has_intervals(feature):
        return read
    spellings = interval_spellings([str(text) for text in feature.domain or ()])

    def read_interval(value: Any) -> str:
        text = str(read(value))
        return spellings.get(text, text)

    return read_interval


def has_intervals(feature: Feature) -> bool:
    """Return whether the categories of a feature are intervals of numbers."""
    return feature.type == "category" and "interval[" in feature.dtype


def _timestamp(feature: Feature) -> Reader:
    name = feature.timezone or "UTC"
    home = zone(name)
    first, last = years(feature.dtype)

    def read(value: Any) -> dt.datetime:
        if not isinstance(value, str):
            raise _refused("type", "timestamp", value, "send ISO 8601 text with an offset")
        try:
            time: dt.datetime = msgspec.convert(value, dt.datetime)
        except msgspec.ValidationError:
            hint = "send ISO 8601 with an offset, such as 2013-01-31T18:05:00Z"
            raise _refused("type", "timestamp", value, hint) from None
        if not first <= time.year <= last:
            column = f"which a column of dtype `{feature.dtype}` holds"
            raise _refused("type", f"timestamp in the years {first} to {last}, {column}", value)
        if time.tzinfo is None:
            hint = f"in {name} it is {time.replace(tzinfo=home).isoformat()}"
            raise _refused("timezone", "timestamp with an offset", value, hint)
        if feature.own_offset_only and not in_zone(time, home):
            local = time.astimezone(home).isoformat()
            hint = f'send {local}, or "outside": "allow" in the contract accepts any offset'
            raise _refused("timezone", f"timestamp in {name}", value, hint)
        return time

    return read


_READERS: dict[str, Callable[[Feature], Reader]] = {
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "string": _text,
    "category": _category,
    "timestamp": _timestamp,
    "date": _date,
    "decimal": _decimal,
    "list": _list,
}

_ITEM = Feature(name="item", type="float", dtype="float64")
"""The feature as which an item of a list is read: a number of 64 bits; narrower arrays round it."""
_WIDE = Context(prec=DECIMAL_DIGITS + 1)
