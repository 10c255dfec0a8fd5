"""The contract: what each input feature and each output is, as a file a person can edit."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa

from gnomon.errors import ContractError

__all__ = ["FORMAT", "Contract", "Feature", "Output", "Scalar"]

FORMAT = 1

FeatureType = Literal["integer", "float", "boolean", "string", "category", "timestamp"]
Scalar = bool | int | float | str

RESERVED = frozenset({"rows"})

_ARROW: dict[str, pa.DataType] = {
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "category": pa.string(),
}


class Feature(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One input feature.

    Attributes:
        name: the key in the request and the column in the frame the pipeline sees.
        type: ``integer`` (64 bit), ``float``, ``boolean``, ``string``, ``category`` (a string out
            of ``domain``) or ``timestamp`` (ISO 8601 with an offset).
        dtype: the pandas dtype of the training column; online frames are rebuilt with it.
        nullable: whether ``null`` is an answer the pipeline was trained to take.
        missing: what an absent key means: an ``error``, a null the pipeline ``impute``\\ s, or
            ``default``.
        default: the value when ``missing`` is ``default``.
        domain: the values seen in training, for categories.
        minimum: the smallest value seen in training.
        maximum: the largest value seen in training.
        outside: whether a value out of ``domain`` or range is let through (``allow``, and
            counted) or refused (``error``).
        timezone: the zone a timestamp is given in. A value whose offset is not this zone's at that
            instant is refused, unless ``coerce``.
        unit: what one unit of the number is, for people.
        description: what the feature is, for people.
        source: where it comes from, for people.
        coerce: accept ``"3"`` for a number, ``1`` for a boolean, a timestamp in any zone.
    """

    name: str
    type: FeatureType
    dtype: str
    nullable: bool = False
    missing: Literal["error", "impute", "default"] = "error"
    default: Scalar | None = None
    domain: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    outside: Literal["allow", "error"] = "allow"
    timezone: str | None = None
    unit: str | None = None
    description: str | None = None
    source: str | None = None
    coerce: bool = False

    @property
    def arrow(self) -> pa.Field:
        """The Arrow field this feature travels and is logged as; timestamps are microseconds."""
        kind = pa.timestamp("us", tz=self.timezone or "UTC") if self.type == "timestamp" else _ARROW[self.type]
        return pa.field(self.name, kind)


class Output(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One output column: ``prediction``, or ``probability_<class>``."""

    name: str
    type: Literal["integer", "float", "boolean", "string"]
    unit: str | None = None
    description: str | None = None

    @property
    def arrow(self) -> pa.Field:
        """The Arrow field this output travels and is logged as."""
        return pa.field(self.name, _ARROW[self.type])


class Contract(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a request must hold and what an answer will hold.

    Attributes:
        format: the version of this file's format; see ``docs/formats.md`` before changing it.
        task: ``classification`` or ``regression``.
        features: the inputs, in the order of the training frame.
        outputs: the outputs. A classifier with ``predict_proba`` has one ``probability_<class>``
            per class after ``prediction``, in the order of ``classes``.
        classes: the labels of a classifier, as in ``classes_``.
        entity_key: the features that together name the thing predicted for; joins and sampling
            use them.
        event_time: the timestamp feature that says when the prediction was asked for.
    """

    format: int = FORMAT
    task: Literal["classification", "regression"]
    features: tuple[Feature, ...]
    outputs: tuple[Output, ...]
    classes: tuple[Scalar, ...] = ()
    entity_key: tuple[str, ...] = ()
    event_time: str | None = None

    @property
    def input_schema(self) -> pa.Schema:
        """Arrow schema of a batch of decoded rows."""
        return pa.schema([feature.arrow for feature in self.features])

    @property
    def output_schema(self) -> pa.Schema:
        """Arrow schema of a batch of outputs."""
        return pa.schema([output.arrow for output in self.outputs])

    @property
    def probability_columns(self) -> tuple[str, ...]:
        """The output columns that hold class probabilities, in the order of ``classes``."""
        return tuple(o.name for o in self.outputs if o.name.startswith("probability_"))

    @property
    def digest(self) -> str:
        """The first 12 hex digits of the SHA-256 of the canonical JSON."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]

    def feature(self, name: str) -> Feature:
        """The feature of that name.

        Raises:
            ContractError: there is none.
        """
        for feature in self.features:
            if feature.name == name:
                return feature
        raise ContractError(
            f"no feature `{name}` in the contract",
            hint="the features are " + ", ".join(f.name for f in self.features),
        )

    def write(self, path: Path) -> None:
        """Write as indented JSON, one key a line, made to be read and edited."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    @classmethod
    def read(cls, path: Path) -> Contract:
        """Read a contract file.

        Raises:
            ContractError: not JSON, an unknown key, a wrong value, or a newer format; with the
                path of the offending key.
        """
        try:
            contract = msgspec.json.decode(path.read_bytes(), type=cls)
        except OSError as error:
            raise ContractError(f"cannot read the contract: {error.strerror}", where=str(path)) from None
        except msgspec.DecodeError as error:
            raise ContractError(str(error), where=str(path)) from None
        contract.check()
        return contract

    def check(self) -> None:
        """Refuse a contract that contradicts itself.

        Raises:
            ContractError: duplicate or reserved names, keys that are no features, a default
                missing, a format this version does not know.
        """
        raise NotImplementedError
