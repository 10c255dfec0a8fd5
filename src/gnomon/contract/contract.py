"""The contract: what each input feature and each output is, as a file a person can edit."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa

from gnomon.contract.feature import Feature, FeatureType, Output, Scalar
from gnomon.contract.json_values import reader
from gnomon.errors import ContractError, GnomonError, NewerFormat
from gnomon.formats import Format, check_version

__all__ = ["FORMAT", "Contract", "Feature", "FeatureType", "Output", "Scalar"]

FORMAT = 2
"""1: the first. 2: a feature may have ``max_age``."""

_NAME = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]+')
RESERVED = frozenset({"rows"})
"""Names a feature cannot have: a request uses them for itself."""


_KIND = Format("contract", FORMAT, hint="write what the format is", damaged=ContractError)


class _Head(msgspec.Struct):
    format: int


class Contract(
    msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True
):
    """What a request must hold and what an answer will hold.

    Attributes:
        format: the version of this file's format; see ``docs/formats.md`` before changing it.
        task: ``classification`` or ``regression``.
        features: the inputs, in the order of the training frame.
        outputs: the outputs. A classifier with ``predict_proba`` has one ``probability_<class>``
            per class after ``prediction``, in the order of ``classes``.
        classes: the labels of a classifier, as in ``classes_``.
        entity_key: the features that together identify the entity predicted for; joins and sampling
            use them.
        event_time: the timestamp feature with the time the prediction was requested.
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
        """The first 12 hex digits of the SHA-256 of the contract as its file would hold it."""
        as_read = msgspec.json.decode(msgspec.json.encode(self), type=Contract)
        return hashlib.sha256(msgspec.json.encode(as_read)).hexdigest()[:12]

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
        """Write as indented JSON, one key per line, to be read and edited."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    @classmethod
    def read(cls, path: Path) -> Contract:
        """Read a contract file.

        Raises:
            ContractError: not JSON, an unknown key, a wrong value, or a contradiction; with the
                path of the offending key.
            NewerFormat: a newer version of Gnomon wrote it.
        """
        try:
            body = path.read_bytes()
        except OSError as error:
            raise ContractError(
                f"cannot read the contract: {error.strerror}", where=str(path)
            ) from None
        return cls.of(body, path)

    @classmethod
    def of(cls, body: bytes, path: Path) -> Contract:
        """Parse the content of a contract file; ``path`` is for messages.

        Raises:
            ContractError: as :meth:`read`.
            NewerFormat: as :meth:`read`.
        """
        try:
            found = msgspec.json.decode(body, type=_Head).format
            check_version(found, _KIND, "$.format")
            contract = msgspec.json.decode(body, type=cls)
            contract.check()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            message, _, inside = str(error).partition(" - at ")
            raise ContractError(message, where=_place(path, inside.strip("`"))) from None
        except (ContractError, NewerFormat) as error:
            error.where = _place(path, error.where)
            raise
        return contract

    def check(self) -> None:
        """Refuse a contract that contradicts itself.

        Raises:
            ContractError: duplicate or reserved names, keys that are not features, a default
                missing or of the wrong type, a dtype that cannot hold its feature, outputs that
                do not follow from task and classes, a format this version does not know.
        """
        check_version(self.format, _KIND, "$.format")
        self._check_names()
        self._check_ages()
        for i, feature in enumerate(self.features):
            place = f"$.features[{i}]"
            try:
                feature.check()
                if feature.missing == "default":
                    place += ".default"
                    reader(feature)(feature.default)
            except GnomonError as error:
                raise ContractError(
                    f"feature `{feature.name}`: {error.message}", where=place, hint=error.hint
                ) from None
        self._check_keys()
        self._check_outputs()

    def _check_names(self) -> None:
        if not self.features:
            raise ContractError("expected at least one feature", where="$.features")
        names = [feature.name for feature in self.features]
        _check_unique(names, "$.features")
        _check_unique([output.name for output in self.outputs], "$.outputs")
        for name in names:
            if not _NAME.fullmatch(name):
                raise ContractError(
                    f"a feature cannot be called {name!r}",
                    where="$.features",
                    hint="a name is not empty and has no quote, backslash or control character",
                )
        for name in sorted(RESERVED.intersection(names)):
            raise ContractError(
                f"a feature cannot be called `{name}`: the name is reserved in requests",
                where="$.features",
            )

    def _check_ages(self) -> None:
        """A file of format 1 must be one that its readers can read."""
        aged = [i for i, feature in enumerate(self.features) if feature.max_age is not None]
        if self.format == 1 and aged:
            raise ContractError(
                "a contract of format 1 has no `max_age`",
                where=f"$.features[{aged[0]}].max_age",
                hint='set "format" to 2',
            )

    def _check_keys(self) -> None:
        given: object = self.entity_key
        if isinstance(given, str):
            raise ContractError(
                f"expected a tuple of feature names, got the string {given!r}",
                where="$.entity_key",
                hint=f"write entity_key=({given!r},)",
            )
        for i, name in enumerate(self.entity_key):
            _at(f"$.entity_key[{i}]", self, name)
        _check_unique(list(self.entity_key), "$.entity_key")
        if self.event_time is not None:
            kind = _at("$.event_time", self, self.event_time).type
            if kind != "timestamp":
                raise ContractError(
                    f"expected a timestamp, but `{self.event_time}` is a {kind}",
                    where="$.event_time",
                )

    def _check_outputs(self) -> None:
        if not self.outputs or self.outputs[0].name != "prediction":
            raise ContractError("the first output must be `prediction`", where="$.outputs")
        if self.task == "regression" and self.classes:
            raise ContractError("a regression has no classes", where="$.classes")
        found = len(self.probability_columns)
        if found not in (0, len(self.classes)):
            raise ContractError(
                f"expected no probability or one for each of the {len(self.classes)} classes, "
                f"got {found}",
                where="$.outputs",
            )


def _check_unique(names: list[str], where: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ContractError(f"`{twice[0]}` is named twice", where=where)


def _at(where: str, contract: Contract, name: str) -> Feature:
    try:
        return contract.feature(name)
    except ContractError as error:
        error.where = where
        raise


def _place(path: Path, inside: str | None) -> str:
    return f"{path}: {inside}" if inside else str(path)
