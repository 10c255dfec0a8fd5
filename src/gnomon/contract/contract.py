"""The contract: what each input feature and each output is, as a file that people can edit."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
import pyarrow as pa

from gnomon.contract.feature import Feature, FeatureType, Output, Role, Scalar
from gnomon.contract.json_values import reader
from gnomon.errors import ContractError, GnomonError, NewerFormat
from gnomon.field_errors import struct_error
from gnomon.files import refuse_special
from gnomon.formats import Format, check_version

__all__ = [
    "FORMAT",
    "Contract",
    "Feature",
    "FeatureType",
    "InputKind",
    "Output",
    "Role",
    "Scalar",
    "Task",
]

FORMAT = 3
"""1: the first format. 2: a feature may have ``max_age``.
3: outputs of several kinds; features that are not given to the pipeline."""

InputKind: TypeAlias = Literal["frame", "series", "records", "array"]

Task = Literal[
    "classification",
    "regression",
    "clustering",
    "outlier_detection",
    "density_estimation",
    "transformation",
]
"""What a model does, in scikit-learn's terms."""

_SINCE_3 = {"layout": "columns", "input": "frame"}
"""Keys that format 3 added, and their values in a contract without them."""

FEATURE_NAME = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]+')

_KIND = Format("contract", FORMAT, hint="write the number of the format", damaged=ContractError)


class _ContractHead(msgspec.Struct):
    format: int


class Contract(
    msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True
):
    """What a request must contain and what an answer will contain.

    Attributes:
        format: the version of this file's format; see ``docs/formats.md`` before changing it.
        task: what the model does, in scikit-learn's terms.
        features: the inputs, in the order of the training frame.
        outputs: the outputs: predictions, then probabilities or scores; or a transformer's columns.
            Outputs of one kind are in the order in which their method returns them.
        classes: the labels of a classifier with one target, as in ``classes_``.
        entity_key: the features that together identify what a prediction is about; joins and
            sampling use them.
        event_time: the timestamp feature with the time the prediction was requested.
        layout: the memory layout of numbers of one dtype in the frame that the pipeline gets:
            column by column, or ``rows``, as in a frame made from a NumPy array. The order in which
            sums are computed depends on it, so results may differ in their last digits.
        input: how features are passed to the pipeline: by default as a ``frame``; a single feature
            as a ``series``; as ``records``, dictionaries without the keys that a request leaves
            out; or as an ``array`` with a column for each, in order.
    """

    format: int = FORMAT
    task: Task
    features: tuple[Feature, ...]
    outputs: tuple[Output, ...]
    classes: tuple[Scalar, ...] = ()
    entity_key: tuple[str, ...] = ()
    event_time: str | None = None
    layout: Literal["columns", "rows"] = "columns"
    input: InputKind = "frame"

    @property
    def input_schema(self) -> pa.Schema:
        """Arrow schema of a batch of decoded rows."""
        return pa.schema([feature.arrow for feature in self.features])

    @property
    def output_schema(self) -> pa.Schema:
        """Arrow schema of a batch of outputs."""
        return pa.schema([output.arrow for output in self.outputs])

    def outputs_of(self, role: Role) -> tuple[Output, ...]:
        """Return the outputs of one kind, in order."""
        return tuple(output for output in self.outputs if output.role == role)

    @property
    def probability_columns(self) -> tuple[str, ...]:
        """The output columns with class probabilities, in the order of ``classes``."""
        return tuple(output.name for output in self.outputs_of("probability"))

    @property
    def learned(self) -> Literal["classification", "regression"] | None:
        """The task, if the model learned it from one target; None for other models."""
        if self.targets or self.task not in ("classification", "regression"):
            return None
        return self.task

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets of a model with several, in order; empty for one target."""
        return tuple(dict.fromkeys(o.target for o in self.outputs if o.target is not None))

    @property
    def compared_as(self) -> dict[str, Literal["label", "number", "probability"]]:
        """How the values of each output are compared if the policy does not say."""
        return {output.name: self._compared_as(output) for output in self.outputs}

    def _compared_as(self, output: Output) -> Literal["label", "number", "probability"]:
        if output.role == "probability":
            return "probability"
        names_a_class = output.role == "prediction" and self.task != "regression"
        return "label" if names_a_class or output.type in ("string", "boolean") else "number"

    def classes_of(self, output: Output) -> tuple[Scalar, ...]:
        """Return the labels that a prediction may have; empty if they are not stated."""
        if output.role != "prediction":
            return ()
        return self.classes if output.target is None else output.classes

    @property
    def digest(self) -> str:
        """The first 12 hex digits of the SHA-256 of the contract in the form of its file."""
        as_read = msgspec.json.decode(msgspec.json.encode(self), type=Contract)
        return hashlib.sha256(_content(as_read)).hexdigest()[:12]

    def feature(self, name: str) -> Feature:
        """Return the feature with a name.

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
        """Write indented JSON, one key per line, for people to read and edit."""
        path.write_bytes(msgspec.json.format(_content(self), indent=2) + b"\n")

    @classmethod
    def read(cls, path: Path) -> Contract:
        """Read a contract file.

        Raises:
            ContractError: not JSON, an unknown key, a wrong value, or a contradiction; it names the
                path of the wrong key.
            NewerFormat: a newer version of Gnomon wrote it.
        """
        try:
            refuse_special(path)
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
            content = msgspec.json.decode(body)
            version = msgspec.json.decode(body, type=_ContractHead).format
            check_version(version, _KIND, "$.format")
            contract = msgspec.json.decode(body, type=cls)
            contract.check()
        except msgspec.ValidationError as error:
            raise _structure_error(error, content, path) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ContractError(f"the contract is not JSON: {error}", where=str(path)) from None
        except (ContractError, NewerFormat) as error:
            error.where = _place(path, error.where)
            raise
        return contract

    def check(self) -> None:
        """Refuse a contract that contradicts itself.

        Raises:
            ContractError: duplicate names, keys that are not features, a default that is missing
                or of the wrong type, a dtype that cannot hold its feature, outputs that do not
                fit task and classes, or a format that this version does not support.
        """
        check_version(self.format, _KIND, "$.format")
        self._check_names()
        self._check_format()
        self._check_input()
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
            if not FEATURE_NAME.fullmatch(name):
                raise ContractError(
                    f"a feature cannot be called {name!r}",
                    where="$.features",
                    hint="a name is not empty and has no quote, backslash or control character",
                )

    def _check_format(self) -> None:
        """Check that readers of the contract's own, older format could read it."""
        aged = [i for i, feature in enumerate(self.features) if feature.max_age is not None]
        if self.format == 1 and aged:
            raise _too_old_error("max_age", f"$.features[{aged[0]}].max_age", since=2)
        if self.format < 3:
            for i, feature in enumerate(self.features):
                if (key := feature.since_3) is not None:
                    raise _too_old_error(key, f"$.features[{i}].{key}", since=3)
            if self.task not in ("classification", "regression"):
                raise _too_old_error(self.task, "$.task", since=3)
            for i, output in enumerate(self.outputs):
                for key in ("kind", "target", "label", "classes"):
                    if getattr(output, key) not in (None, ()):
                        raise _too_old_error(key, f"$.outputs[{i}].{key}", since=3)
            for key, default in _SINCE_3.items():
                if getattr(self, key) != default:
                    raise _too_old_error(key, f"$.{key}", since=3)

    def _check_input(self) -> None:
        inputs = [feature for feature in self.features if not feature.carried]
        if self.features and not inputs:
            raise ContractError(
                "every feature is carried, so none is given to the pipeline", where="$.features"
            )
        if self.input == "series" and len(inputs) != 1:
            raise ContractError(
                f"a series is one feature, but {len(inputs)} are given to the pipeline",
                where="$.input",
            )
        several = {feature.dtype.removesuffix("[nan]") for feature in inputs}
        if self.input == "array" and len(several) > 1:
            raise ContractError(
                f"an array has one dtype, but its columns have {', '.join(sorted(several))}",
                where="$.input",
            )

    def _check_keys(self) -> None:
        key: object = self.entity_key
        if isinstance(key, str):
            raise ContractError(
                f"expected a tuple of feature names, got the string {key!r}",
                where="$.entity_key",
                hint=f"write entity_key=({key!r},)",
            )
        for i, name in enumerate(self.entity_key):
            _feature_at(f"$.entity_key[{i}]", self, name)
        _check_unique(list(self.entity_key), "$.entity_key")
        if self.event_time is not None:
            kind = _feature_at("$.event_time", self, self.event_time).type
            if kind != "timestamp":
                raise ContractError(
                    f"expected a timestamp, but `{self.event_time}` is a {kind}",
                    where="$.event_time",
                )

    def _check_outputs(self) -> None:
        if not self.outputs:
            raise ContractError("expected at least one output", where="$.outputs")
        for i, output in enumerate(self.outputs):
            if not FEATURE_NAME.fullmatch(output.name):
                raise ContractError(
                    f"an output cannot be called {output.name!r}",
                    where=f"$.outputs[{i}].name",
                    hint="a name is not empty and has no quote, backslash or control character; "
                    "give the labels or the columns of y other names before the pipeline is fitted",
                )
        kinds = [output.role for output in self.outputs]
        if [kind for kind, _ in groupby(kinds)] != list(dict.fromkeys(kinds)):
            raise ContractError(
                "expected the outputs of one kind to be consecutive", where="$.outputs"
            )
        if self.classes and self.task not in ("classification", "outlier_detection"):
            raise ContractError(f"a {self.task} has no classes", where="$.classes")
        if self.targets and self.classes:
            raise ContractError(
                "the classes of several targets are those of their predictions", where="$.classes"
            )
        for target in self.targets or (None,):
            self._check_target(target)

    def _check_target(self, target: str | None) -> None:
        """Check for one prediction, and no probability or one for each of its classes."""
        about = [o for o in self.outputs if o.role != "value" and o.target == target]
        predictions = [output for output in about if output.role == "prediction"]
        if len(predictions) > 1:
            raise ContractError(
                "expected one prediction for a target, got "
                + ", ".join(output.name for output in predictions),
                where="$.outputs",
                hint='give each a `target`, or a `kind`: "score" or "value"',
            )
        unlabelled = [o for o in about if o.role == "probability" and o.label is None]
        classes = self.classes_of(predictions[0]) if predictions else ()
        if len(unlabelled) not in (0, len(classes)):
            raise ContractError(
                f"expected no probability or one for each of the {len(classes)} classes, "
                f"got {len(unlabelled)}",
                where="$.outputs",
            )


def _content(contract: Contract) -> bytes:
    """Return the contract as JSON; in an older format, in the form that its releases read."""
    content = msgspec.to_builtins(contract)
    for key, default in _SINCE_3.items():
        if content[key] == default:
            del content[key]
    return msgspec.json.encode(content)


def _check_unique(names: list[str], where: str) -> None:
    duplicates = [name for name, count in Counter(names).items() if count > 1]
    if duplicates:
        raise ContractError(f"`{duplicates[0]}` is named twice", where=where)


def _too_old_error(what: str, where: str, since: int) -> ContractError:
    return ContractError(
        f"a contract of format {since - 1} has no `{what}`",
        where=where,
        hint=f'set "format" to {since}',
    )


def _feature_at(where: str, contract: Contract, name: str) -> Feature:
    try:
        return contract.feature(name)
    except ContractError as error:
        error.where = where
        raise


def _structure_error(error: msgspec.ValidationError, content: Any, path: Path) -> ContractError:
    """Return the error for JSON that is not a contract, with what would be accepted."""
    kind = Contract if isinstance(content, dict) and "format" in content else _ContractHead
    message, place, hint = struct_error(error, kind, content)
    inside = None if place == "$" else place
    return ContractError(message, where=_place(path, inside), hint=hint)


def _place(path: Path, inside: str | None) -> str:
    return f"{path}: {inside}" if inside else str(path)
