"""One input feature and one output of a contract."""

from __future__ import annotations

import datetime as dt
import re
from typing import Literal

import msgspec
import pyarrow as pa

from gnomon.contract.time_zones import zone, zone_name
from gnomon.errors import ContractError

__all__ = [
    "DECIMAL_DIGITS",
    "Feature",
    "FeatureType",
    "ItemType",
    "Output",
    "Role",
    "Scalar",
    "can_be_null",
    "holds",
    "label_text",
]

FeatureType = Literal[
    "integer",
    "float",
    "boolean",
    "string",
    "category",
    "timestamp",
    "date",
    "decimal",
    "list",
]
ItemType = Literal["integer", "float", "boolean", "string"]
Scalar = bool | int | float | str
Role = Literal["prediction", "probability", "score", "value"]
"""The kinds of outputs: from ``predict``, from ``predict_proba``, from ``decision_function`` or
``score_samples``, or one column of ``transform``."""

_PROBABILITY = "probability_"

DECIMAL_DIGITS = 38
"""The digits of a decimal, before and after the point together, that 128 bits can hold."""

_ARROW: dict[str, pa.DataType] = {
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "category": pa.string(),
    "date": pa.date32(),
}

_INTEGERS = r"u?int(8|16|32|64)"
_FLOATS = r"float(16|32|64)"
_NULLABLE = r"U?Int(8|16|32|64)|Float(32|64)"
_OBJECT = r"object|object\[nan\]|object\[NA\]"
_TEXT = (
    rf"str|string|string\[python\]|{_OBJECT}"
    r"|category|category\[(ordered|(ordered, )?(object|interval\[.+\]))\]"
    r"|(large_)?string\[pyarrow\]|dictionary<values=(large_)?string, .+>\[pyarrow\]"
)
_ARROW_INTEGERS = rf"{_INTEGERS}\[pyarrow\]"
_ARROW_FLOATS = r"(halffloat|float|double)\[pyarrow\]"
_WHOLE = rf"{_OBJECT}|{_INTEGERS}|{_FLOATS}|{_NULLABLE}|{_ARROW_INTEGERS}|{_ARROW_FLOATS}"
_ITEM = r"[a-z0-9_]+"
_DTYPES = {
    "integer": re.compile(rf"{_WHOLE}|category\[(ordered, )?({_INTEGERS})\]"),
    "float": re.compile(
        rf"{_OBJECT}|{_FLOATS}|Float(32|64)|{_ARROW_FLOATS}|category\[(ordered, )?({_FLOATS})\]"
    ),
    "boolean": re.compile(rf"bool|boolean|bool\[pyarrow\]|category\[(ordered, )?bool\]|{_WHOLE}"),
    "string": re.compile(_TEXT),
    "category": re.compile(_TEXT),
    "timestamp": re.compile(
        r"datetime64\[(s|ms|us|ns)(, .+)?\]|timestamp\[(s|ms|us|ns)(, tz=.+)?\]\[pyarrow\]"
    ),
    "date": re.compile(rf"{_OBJECT}|date(32\[day\]|64\[ms\])\[pyarrow\]"),
    "decimal": re.compile(rf"{_OBJECT}|decimal128\(\d+, \d+\)\[pyarrow\]"),
    "list": re.compile(
        rf"list|tuple|ndarray\[{_ITEM}\]|(large_)?list<.+>\[pyarrow\]"
        r"|fixed_size_list<.+>\[\d+\]\[pyarrow\]"
    ),
}
_CANNOT_HOLD_NULL = re.compile(f"{_INTEGERS}|bool")
_BEFORE_3 = re.compile(
    rf"{_INTEGERS}|{_FLOATS}|{_NULLABLE}|bool|boolean|str|string|{_OBJECT}"
    r"|category(\[ordered\])?|datetime64\[\w+, .+\]"
)
_ZONE = re.compile(r"datetime64\[\w+, (.+)\]|timestamp\[\w+, tz=(.+)\]\[pyarrow\]")


def holds(dtype: str, kind: FeatureType) -> bool:
    """Return whether a column of the pandas ``dtype`` can hold a feature of type ``kind``."""
    return _DTYPES[kind].fullmatch(dtype) is not None


def can_be_null(dtype: str) -> bool:
    """Return whether a column of the pandas ``dtype`` can hold a null."""
    return _CANNOT_HOLD_NULL.fullmatch(dtype) is None


class Feature(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One input feature.

    Attributes:
        name: the key in the request and the column in the frame the pipeline sees.
        type: ``integer`` (64 bit), ``float``, ``boolean``, ``string``, ``category`` (a string from
            ``domain``), ``timestamp`` (ISO 8601 with an offset), ``date`` (``2013-01-31``),
            ``decimal`` (text such as ``"12.50"``, or a number) or ``list`` (an array).
        dtype: the pandas dtype of the training column; online frames are rebuilt with it. Some
            names are longer than in pandas, which omits details: ``category[ordered]``,
            ``category[int64]``, ``string[python]``; ``object[nan]`` and ``object[NA]`` for objects
            whose nulls are NaN or ``pandas.NA``, not None; and ``list``, ``tuple`` and
            ``ndarray[float32]`` for objects of these types.
        carried: whether it is sent, logged and used to join and sample, but not given to the
            pipeline.
        column: the integer name of the training column, if its name is not text; ``name`` has its
            digits.
        items: the type of a list's items.
        length: how many items every list has; by default any number.
        scale: how many digits a decimal has after the point.
        nullable: whether ``null`` is a value that the pipeline was trained to accept.
        missing: what an absent key means: an ``error``, a null the pipeline ``impute``\\ s, or
            ``default``.
        default: the value when ``missing`` is ``default``.
        domain: the values of a category seen in training, in the order of the training column.
        minimum: the smallest value seen in training.
        maximum: the largest value seen in training.
        outside: whether a value outside of ``domain`` or range is accepted (``allow``, and counted)
            or refused (``error``). For a timestamp: whether any offset is accepted (``allow``: the
            pipeline gets the same instant in ``timezone``), or only the zone's own offset at that
            instant (``error``).
        timezone: the zone in which the pipeline gets a timestamp.
        max_age: how old a timestamp may be when its request arrives; a timestamp after the arrival
            is wrong too. In a file it is an ISO 8601 duration, ``PT6H``. The server does not refuse
            old timestamps; ``gnomon check`` does.
        unit: what one unit of the number is, for people.
        description: what the feature is, for people.
        source: where it comes from, for people.
        coerce: accept ``"3"`` for a number, ``1`` and ``"true"`` for a boolean, and a timestamp in
            any zone whatever ``outside`` says; but never a fraction for an integer, nor a timestamp
            without an offset.
    """

    name: str
    type: FeatureType
    dtype: str
    nullable: bool = False
    missing: Literal["error", "impute", "default"] = "error"
    default: Scalar | None = None
    domain: tuple[Scalar, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    outside: Literal["allow", "error"] = "allow"
    timezone: str | None = None
    max_age: dt.timedelta | None = None
    unit: str | None = None
    description: str | None = None
    source: str | None = None
    coerce: bool = False
    carried: bool = False
    column: int | None = None
    items: ItemType | None = None
    length: int | None = None
    scale: int | None = None

    @property
    def label(self) -> str | int:
        """The name of the column in the training frame."""
        return self.name if self.column is None else self.column

    @property
    def since_3(self) -> str | None:
        """The first key that readers of contracts before format 3 do not know, if any."""
        uses = {
            "carried": self.carried,
            "column": self.column is not None,
            "domain": any(not isinstance(value, str) for value in self.domain or ()),
            "type": self.type in ("date", "decimal", "list"),
            "dtype": _BEFORE_3.fullmatch(self.dtype) is None,
        }
        return next((key for key, new in uses.items() if new), None)

    @property
    def own_offset_only(self) -> bool:
        """Whether a timestamp must have the offset that its zone has at that instant."""
        return self.outside == "error" and not self.coerce

    @property
    def arrow(self) -> pa.Field:
        """The Arrow field in which this feature is sent and logged; timestamps are microseconds."""
        if self.type == "timestamp":
            return pa.field(self.name, pa.timestamp("us", tz=self.timezone or "UTC"))
        if self.type == "decimal":
            return pa.field(self.name, pa.decimal128(DECIMAL_DIGITS, self.scale or 0))
        if self.type == "list":
            return pa.field(self.name, pa.list_(_ARROW[self.items or "float"]))
        return pa.field(self.name, _ARROW[self.type])

    def check(self) -> None:
        """Refuse a feature that contradicts itself.

        Raises:
            ContractError: a dtype that cannot hold the type or its nulls, a default that is
                missing or unused, an impossible domain, range or age, or an unknown time zone.
        """
        if not holds(self.dtype, self.type):
            kinds = [kind for kind, dtypes in _DTYPES.items() if dtypes.fullmatch(self.dtype)]
            types = " or ".join(kinds) or "no feature; docs/contract.md lists the possible dtypes"
            raise ContractError(
                f"a {self.type} cannot be held in a column of dtype `{self.dtype}`",
                hint=f"such a column holds {types}",
            )
        if self.nullable and not can_be_null(self.dtype):
            raise ContractError(
                f"nullable, but a column of dtype `{self.dtype}` cannot hold null",
                hint="train on a nullable dtype such as Int64, boolean or float64",
            )
        if self.column is not None and self.name != str(self.column):
            raise ContractError(f"`column` {self.column} is served as `{self.column}`")
        self._check_missing()
        self._check_domain()
        self._check_range()
        self._check_zone()
        self._check_shape()

    def _check_missing(self) -> None:
        if self.missing == "impute" and not self.nullable:
            raise ContractError(
                '`missing` is "impute", but the feature is not nullable',
                hint="set `nullable` to true if the pipeline was trained to take null",
            )
        if self.missing == "default" and self.default is None:
            raise ContractError(
                '`missing` is "default", but there is no `default`',
                hint='give one, or set `missing` to "error" or "impute"',
            )
        if self.missing != "default" and self.default is not None:
            raise ContractError(
                f'`default` is given, but `missing` is "{self.missing}"',
                hint='set `missing` to "default", or leave `default` out',
            )

    def _check_domain(self) -> None:
        categories = self.type == "category" or self.dtype.startswith("category")
        if categories and not self.domain:
            raise ContractError(
                "a category needs a `domain`",
                hint='list its values, as in "domain": ["a", "b"], or set `type` to "string"',
            )
        if self.domain is not None and self.type not in ("category", "string") and not categories:
            ranged = self.type in _RANGED
            raise ContractError(
                f"a {self.type} takes a range, not a `domain`"
                if ranged
                else f"a {self.type} has no `domain`",
                hint="leave `domain` out" + (", or set `minimum` and `maximum`" if ranged else ""),
            )
        wrong_type = [v for v in self.domain or () if type(v) not in _DOMAINS.get(self.type, ())]
        if wrong_type:
            raise ContractError(
                f"`domain` has a value that is not of type {self.type}: {wrong_type[0]!r}",
                hint=f"write each value as in a request, with type {self.type}",
            )
        if self.domain is not None and len(set(self.domain)) < len(self.domain):
            duplicate = next(v for i, v in enumerate(self.domain) if v in self.domain[:i])
            raise ContractError(
                f"`domain` has a value twice: {duplicate!r}", hint="leave one of them out"
            )

    def _check_range(self) -> None:
        has_range = self.minimum is not None or self.maximum is not None
        if has_range and self.type not in _RANGED:
            raise ContractError(
                f"a {self.type} has no `minimum` and `maximum`",
                hint="leave them out; integer, float and decimal have them",
            )
        if None not in (self.minimum, self.maximum) and self.minimum > self.maximum:  # type: ignore[operator]
            raise ContractError(
                f"`minimum` {self.minimum} is above `maximum` {self.maximum}",
                hint="swap them, or leave one out",
            )

    def _check_zone(self) -> None:
        if self.type == "timestamp":
            zone(self.timezone or "UTC")
            match = _ZONE.fullmatch(self.dtype)
            if match is not None:
                zone(zone_name(match[1] or match[2]))
            elif self.timezone is None:
                raise ContractError(
                    "timestamps without a zone need a `timezone`",
                    hint='state their time zone, as in "timezone": "Europe/Berlin"',
                )
        elif self.timezone is not None:
            raise ContractError(f"a {self.type} has no `timezone`", hint=_OF_TIMESTAMPS)
        elif self.max_age is not None:
            raise ContractError(f"a {self.type} has no `max_age`", hint=_OF_TIMESTAMPS)
        if self.max_age is not None and self.max_age <= dt.timedelta(0):
            raise ContractError(
                f"expected a positive `max_age`, got {self.max_age}",
                hint="such as PT6H, six hours; or leave it out",
            )

    def _check_shape(self) -> None:
        if (self.type == "list") != (self.items is not None):
            items = '"items": "float", "integer", "boolean" or "string"'
            raise ContractError(
                "`items` is required for a list, and only a list has it",
                hint=f"say {items}" if self.type == "list" else "leave `items` out",
            )
        if self.length is not None and (self.type != "list" or self.length < 1):
            raise ContractError(
                "only a list has a `length`, and it is 1 or more",
                hint="leave `length` out if lists may have any",
            )
        if (self.type == "decimal") != (self.scale is not None):
            digits = 'state the number of digits after the point, as in "scale": 2'
            raise ContractError(
                "`scale` is required for a decimal, and only a decimal has it",
                hint=digits if self.type == "decimal" else "leave `scale` out",
            )
        if self.scale is not None and not 0 <= self.scale <= DECIMAL_DIGITS:
            raise ContractError(f"expected a `scale` from 0 to {DECIMAL_DIGITS}, got {self.scale}")


_RANGED = ("integer", "float", "decimal")
_OF_TIMESTAMPS = "leave it out; only a timestamp has one"
_DOMAINS: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "float": (int, float),
    "boolean": (bool,),
    "string": (str,),
    "category": (str,),
}


class Output(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One output column.

    A model with one target has ``prediction``, and ``probability_<class>`` for each class or a
    ``score``. With several targets each has such outputs: ``prediction_<target>`` and so on. The
    outputs of a transformer have the names of its columns.

    Attributes:
        name: the column in the log, in reports and in the policy.
        type: the type of its values.
        kind: the kind of output. If unset, it follows from the name: ``probability_<class>`` or a
            prediction.
        target: the target, if there are several.
        label: the class whose probability or score it is.
        classes: for a prediction of one of several targets, the possible labels.
        unit: what one unit of the number is, for people.
        description: what it is, for people.
    """

    name: str
    type: Literal["integer", "float", "boolean", "string"]
    kind: Role | None = None
    target: str | None = None
    label: Scalar | None = None
    classes: tuple[Scalar, ...] = ()
    unit: str | None = None
    description: str | None = None

    @property
    def role(self) -> Role:
        """The kind: as given, or from the name."""
        by_name: Role = "probability" if self.name.startswith(_PROBABILITY) else "prediction"
        return self.kind or by_name

    @property
    def key(self) -> str:
        """Its key in an answer among outputs of its kind: its class, or else its name."""
        if self.label is not None:
            return label_text(self.label)
        return self.name.removeprefix(_PROBABILITY) if self.kind is None else self.name

    @property
    def arrow(self) -> pa.Field:
        """The Arrow field in which this output is sent and logged."""
        return pa.field(self.name, _ARROW[self.type])


def label_text(label: Scalar) -> str:
    """Return a class label as text for the name of an output and the key of an answer."""
    return str(label).lower() if isinstance(label, bool) else str(label)
