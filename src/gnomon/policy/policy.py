"""The rollout policy, a TOML file: what is sampled, what agrees, what a promotion must meet.

::

    [sampling]
    fraction = 0.25                      # of entities; of requests without an entity key

    [decision]                           # what the application does with the answer
    output = "probability_late"
    threshold = 0.3

    [compare.prediction]                 # live against shadow
    kind = "label"

    [compare."probability_*"]
    absolute = 0.05

    [skew."*"]                           # one artifact, online against offline
    relative = 1e-9

    [gates]
    min_rows = 5000
    max_disagreement = 0.02

    [drift]                              # training data against served data
    psi = 0.25

    [labels]                             # what the predictions turned out to be
    late_after_days = 90

    [rollout]                            # what a server decides by itself
    mode = "auto-abort"

Everything has a default; an empty file is a valid policy.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from gnomon.errors import PolicyError
from gnomon.field_errors import struct_error
from gnomon.files import refuse_special
from gnomon.formats import Format, check_version
from gnomon.name_lists import did_you_mean, listed
from gnomon.policy.drift_limits import DriftLimits
from gnomon.policy.gate_limits import GateLimits
from gnomon.policy.label_rules import LabelRules
from gnomon.policy.quality_rules import QualityRules
from gnomon.policy.rollout_rules import RolloutRules
from gnomon.policy.tolerance import (
    Comparator,
    NumberOrLabel,
    Tolerance,
    default_tolerance,
    kind_of,
)

__all__ = ["Decision", "Policy", "Rules", "Sampling", "find_policy"]

FORMAT = 1

_KIND = Format("policy", FORMAT, hint="leave `format` out, or set it to 1", damaged=PolicyError)


class Sampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a shadow sees.

    Attributes:
        fraction: the share of entities that a new shadow scores; of requests if there is no entity
            key.
        noise_floor: the share of entities, or of requests, that live scores a second time while
            shadows are judged, which measures the noise floor; 0: none. When not given, it is 0.05
            if live was packed although its answers depend on the batch, else 0.
    """

    fraction: float = 1.0
    noise_floor: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"expected `fraction` above 0 and up to 1, got {self.fraction}")
        if self.noise_floor is not None and not 0 <= self.noise_floor <= 1:
            raise ValueError(f"expected `noise_floor` from 0 to 1, got {self.noise_floor}")


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the application does with an answer; a row *flips* when this decision changes.

    Without a decision a row flips when a predicted label differs.

    Attributes:
        output: the output column that the decision is based on.
        threshold: the decision changes between values below it and values at or above it.
    """

    output: str
    threshold: float


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """A policy applied to the columns of one schema; ``compare`` uses it.

    Attributes:
        comparators: one per column to compare.
        decides: the columns whose change flips a row, with the threshold of a number or None for a
            label.
    """

    comparators: dict[str, Comparator]
    decides: dict[str, float | None] = {}


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One deployment's rollout policy.

    Attributes:
        sampling: what a shadow sees.
        decision: what the application does with an answer.
        compare: tolerances for live against shadow, by column name or ``*`` pattern. An exact name
            takes precedence over patterns, an earlier pattern over a later one.
        skew: the same for one artifact online against offline; by default only rounding may differ.
        gates: the conditions of a promotion.
        quality: its conditions on labels.
        drift: how far served data may drift from training.
        labels: which row a label is about, and when it is late.
        rollout: what a server decides by itself, and how it watches a promotion.
    """

    sampling: Sampling = Sampling()
    decision: Decision | None = None
    compare: dict[str, Tolerance] = {}
    skew: dict[str, Tolerance] = {}
    gates: GateLimits = GateLimits()
    quality: QualityRules = QualityRules()
    drift: DriftLimits = DriftLimits()
    labels: LabelRules = LabelRules()
    rollout: RolloutRules = RolloutRules()

    def confidence_of_each(self, candidates: int) -> float:
        """Return the confidence of one interval of one candidate, over the gates of all tables.

        See :meth:`~gnomon.policy.GateLimits.confidence_of_each`.
        """
        return self.gates.confidence_of_each(candidates, others=len(self.quality.max_increase))

    @property
    def digest(self) -> str:
        """The first 12 hex digits of the SHA-256 of the policy as JSON."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]

    @classmethod
    def read(cls, path: Path | str) -> Policy:
        """Read a policy file.

        It may contain ``format = 1``; a file without it has format 1.

        Raises:
            PolicyError: the file does not exist or is not TOML, or a key is unknown or a value
                wrong; the error says where.
            NewerFormat: it was written for a newer version of Gnomon.
        """
        try:
            refuse_special(Path(path))
            raw = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise PolicyError(
                f"cannot read the policy: {error.strerror}", where=str(path)
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PolicyError(f"the policy is not TOML: {error}", where=str(path)) from None
        version = raw.pop("format", 1)
        if type(version) is not int:
            raise PolicyError(f"expected a whole number, got {version!r}", where=f"{path}: format")
        check_version(version, _KIND, str(path))
        _unset_gates(raw)
        try:
            return msgspec.convert(raw, cls)
        except msgspec.ValidationError as error:
            message, place, hint = struct_error(error, cls, raw)
            key = place.removeprefix("$").removeprefix(".")
            where = f"{path}: {key}" if key else str(path)
            raise PolicyError(message, where=where, hint=hint) from None

    def check_names(
        self, artifact: str, outputs: pa.Schema, others: Collection[str] | None = None
    ) -> None:
        """Check that an artifact has the names in the policy; a misspelt name would have no effect.

        Args:
            artifact: its tag, for the error.
            outputs: its output columns.
            others: the features and transformed columns, which ``[skew]`` may name too; None: the
                names in ``[skew]`` are not checked.

        Raises:
            PolicyError: a name does not exist; the error lists those that do.
        """
        if self.decision is not None:
            _check_output(self.decision.output, artifact, outputs)
        _check_columns("compare", self.compare, artifact, outputs.names)
        if others is not None:
            _check_columns("skew", self.skew, artifact, [*outputs.names, *others])

    def rules(
        self,
        schema: pa.Schema,
        *,
        outputs: Mapping[str, NumberOrLabel] | None = None,
        same: bool = False,
    ) -> Rules:
        """Return the comparators for the columns of ``schema``, with every default filled in.

        Args:
            schema: the columns to compare.
            outputs: the kind of each output's values, from the contract. Without it, the column's
                name and type decide: a ``prediction`` is a number if it is a float, else a label.
            same: compare one artifact with itself (``[skew]``) instead of two (``[compare]``).
        """
        output_kinds = outputs or {}
        rule_by_column = {
            field.name: self._comparator(field, output_kinds.get(field.name), same)
            for field in schema
        }
        comparators = {name: rule for name, rule in rule_by_column.items() if rule is not None}
        decides: dict[str, float | None] = {}
        if self.decision is None:
            names = ["prediction"] if outputs is None else outputs
            labels = [name for name in names if name in comparators]
            decides = {name: None for name in labels if comparators[name].kind == "label"}
        elif self.decision.output in comparators:
            decides = {self.decision.output: self.decision.threshold}
        return Rules(comparators=comparators, decides=decides)

    def _comparator(
        self, field: pa.Field, known: NumberOrLabel | None, same: bool
    ) -> Comparator | None:
        tolerance = _lookup(self.skew if same else self.compare, field.name)
        kind = tolerance.kind or known or kind_of(field)
        if kind == "ignore":
            return None
        if (tolerance.absolute, tolerance.relative, tolerance.ulps) == (None, None, None):
            tolerance = default_tolerance(kind, field.type, same)
        return Comparator(
            kind=kind,
            absolute=tolerance.absolute or 0.0,
            relative=tolerance.relative or 0.0,
            ulps=tolerance.ulps or 0,
        )


def _unset_gates(raw: dict[str, Any]) -> None:
    """Turn off gates such as ``max_failed = "off"``; ``min_rows`` and what is no gate stay on."""
    gates = raw.get("gates")
    if isinstance(gates, dict):
        for name, value in gates.items():
            optional = name.startswith(("max_", "min_coverage", "min_hours"))
            if value == "off" and optional and name != "max_excused":
                gates[name] = None


def _check_output(name: str, artifact: str, outputs: pa.Schema) -> None:
    if name not in outputs.names:
        raise PolicyError(
            f"`{artifact}` has no output `{name}` to decide on",
            where="decision.output",
            hint=f"its outputs are {', '.join(outputs.names)}",
        )
    type_ = outputs.field(name).type
    if not (pa.types.is_floating(type_) or pa.types.is_integer(type_)):
        numbers = [f.name for f in outputs if pa.types.is_floating(f.type)]
        raise PolicyError(
            f"expected an output that a threshold can be applied to, but `{name}` "
            f"of `{artifact}` is of type {type_}",
            where="decision.output",
            hint=f"its numbers are {', '.join(numbers)}"
            if numbers
            else "leave [decision] out: a row then flips when the predicted label differs",
        )


_FAMILIES = ("probability_*", "score_*", "prediction_*", "value_*")
"""Patterns that are no mistake where they match nothing: a policy is for models of every kind, and
one with labels may follow one with numbers."""


def _check_columns(
    table: str, rules: Collection[str], artifact: str, columns: Sequence[str]
) -> None:
    for key in rules:
        known = key in _FAMILIES or any(fnmatchcase(column, key) for column in columns)
        if not known and key not in columns:
            raise PolicyError(
                f"in the policy: `{artifact}` has no column `{key}`",
                where=f'{table}."{key}"',
                hint=_columns_hint(key, columns),
            )


def _columns_hint(key: str, columns: Sequence[str]) -> str:
    suggestion = did_you_mean(key, columns, "`{}`")
    return (
        f"{suggestion} its columns are {listed(columns)}"
        if suggestion
        else f"its columns are {listed(columns)}"
    )


def _lookup(table: dict[str, Tolerance], name: str) -> Tolerance:
    if name in table:
        return table[name]
    return next((rule for key, rule in table.items() if fnmatchcase(name, key)), Tolerance())


_DEPLOYED = Path("shadow/policy.toml")
"""Where a deployment keeps its policy, relative to its folder."""


def find_policy(path: Path | None = None) -> Policy:
    """Read the policy file; without one, this folder's deployment policy, else the defaults.

    Raises:
        PolicyError: the file exists and is not a policy.
    """
    if path is None and not _DEPLOYED.exists():
        return Policy()
    return Policy.read(path or _DEPLOYED)
