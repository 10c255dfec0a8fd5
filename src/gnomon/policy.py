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

Everything has a default; an empty file is a valid policy.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa

from gnomon.errors import PolicyError
from gnomon.field_errors import struct_error
from gnomon.files import refuse_special
from gnomon.formats import Format, check_version
from gnomon.name_lists import did_you_mean, listed
from gnomon.tolerances import ROUNDING, ROUNDING_NEAR_ZERO

__all__ = [
    "Comparator",
    "Decision",
    "DriftLimits",
    "GateLimits",
    "Kind",
    "Policy",
    "Rules",
    "Sampling",
    "Tolerance",
    "find_policy",
]

FORMAT = 1

_KIND = Format("policy", FORMAT, hint="leave `format` out, or set it to 1", damaged=PolicyError)

Kind = Literal["label", "number", "probability", "ignore"]
NumberOrLabel = Literal["label", "number", "probability"]


class Tolerance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far two values of a column may differ and still agree; the widest bound counts.

    Attributes:
        kind: ``label`` (equal or not), ``number``, ``probability`` (a number between 0 and 1) or
            ``ignore``. If unset, it follows from the column's type.
        absolute: ``|left - right|`` may be this much. Timestamps are compared in seconds.
        relative: ``|left - right|`` may be this share of the larger of the two.
        ulps: the two values may be this many representable 64-bit floats apart.
    """

    kind: Kind | None = None
    absolute: float | None = None
    relative: float | None = None
    ulps: int | None = None

    def __post_init__(self) -> None:
        for name in ("absolute", "relative", "ulps"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"expected `{name}` to be 0 or more, got {value}")
            if value is not None and self.kind in ("label", "ignore"):
                raise ValueError(f"`{name}` has no meaning for kind `{self.kind}`")


class Comparator(msgspec.Struct, frozen=True, kw_only=True):
    """A tolerance with every default filled in: two values agree within any of the three bounds."""

    kind: NumberOrLabel
    absolute: float = 0.0
    relative: float = 0.0
    ulps: int = 0


class Sampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a shadow sees.

    Attributes:
        fraction: the share of entities that a new shadow scores; of requests if there is no entity
            key.
    """

    fraction: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"expected `fraction` above 0 and up to 1, got {self.fraction}")


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the application does with an answer; a row *flips* when this decision changes.

    Without a decision a row flips when a predicted label differs.

    Attributes:
        output: the output column that the decision is based on.
        threshold: the decision changes between values below it and values at or above it.
    """

    output: str
    threshold: float


class GateLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a shadow must meet to be promoted.

    A gate whose limit is None is not checked; the file says ``"off"``, as TOML has no null.

    Attributes:
        min_rows: the shadow must have scored at least this many rows.
        min_hours: the rows that it scored must have arrived over at least this many hours, such as
            24 for a day and a night.
        max_disagreement: share of compared rows that disagree with live beyond the noise floor.
        max_flips: share of rows whose decision is known that flip it.
        max_failed: share of rows scored or failed on which the shadow failed.
        max_latency_ratio: the shadow's scoring time divided by live's, medians of similar batch
            sizes.
        min_coverage: share of the rows the shadow should have scored that it did score.
        max_lag_rows: how many rows the shadow may be behind.
        max_skew: share of replayed rows where the artifact online and offline disagree.
        confidence: with this probability no interval of any gate of any candidate misses the true
            share, however often you look.
        longest_burst: how many entities one after the other, or rows without an entity key, may be
            bad together without telling more than one of them: blocks of at least so many are then
            the unit of evidence. None takes them as independent.
    """

    min_rows: int = 1_000
    min_hours: float | None = None
    max_disagreement: float | None = 0.05
    max_flips: float | None = None
    max_failed: float | None = 0.01
    max_latency_ratio: float | None = 3.0
    min_coverage: float | None = 0.99
    max_lag_rows: int | None = 10_000
    max_skew: float | None = None
    confidence: float = 0.95
    longest_burst: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_disagreement", "max_flips", "max_failed", "min_coverage", "max_skew"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"expected `{name}` between 0 and 1, got {value}")
        for name in ("min_rows", "min_hours", "max_lag_rows", "max_latency_ratio"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"expected `{name}` to be 0 or more, got {value}")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"expected `confidence` from 0.5 to below 1, got {self.confidence}")
        if self.longest_burst is not None and self.longest_burst < 1:
            raise ValueError(f"expected `longest_burst` of at least 1, got {self.longest_burst}")

    def confidence_of_each(self, candidates: int) -> float:
        """Return the confidence of one interval of one candidate.

        The allowed error is split evenly over the gates that have an interval and over the
        candidates, so that their sum is at most the whole (Bonferroni). The number of candidates
        is that at the time of the look: of those that start later the promise is not proven.

        >>> round(GateLimits(max_failed=None).confidence_of_each(5), 9)
        0.99
        """
        limits = (self.max_disagreement, self.max_flips, self.max_failed, self.max_skew)
        intervals = sum(limit is not None for limit in limits)
        return 1 - (1 - self.confidence) / (max(intervals, 1) * max(candidates, 1))


class DriftLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a column may differ from training before it counts as drifted; ``inf``: never.

    The first four defaults match each other: a normal distribution whose mean moves by half a
    standard deviation, a medium effect (Cohen, *Statistical Power Analysis*, 1988), has a PSI of
    0.25, a Jensen-Shannon distance of 0.21, a Kolmogorov-Smirnov distance of 0.20 and a Wasserstein
    distance of 0.5.

    Attributes:
        psi: population stability index. Siddiqi, *Credit Risk Scorecards* (2006): below 0.1 little
            has changed, above 0.25 the population has shifted.
        js: Jensen-Shannon distance, base 2, from 0 to 1.
        ks: Kolmogorov-Smirnov distance, from 0 to 1.
        wasserstein: Wasserstein distance in standard deviations of the training column.
        linf: the largest change of the share of one bin or value. NannyML also uses 0.1.
        nulls: change of the share of nulls.
        new: share of rows with a value that training did not have.
        outside: share of rows outside of training's range.
        ignore: columns, by name or ``*`` pattern, that are measured but not judged.
    """

    psi: float = 0.25
    js: float = 0.2
    ks: float = 0.2
    wasserstein: float = 0.5
    linf: float = 0.1
    nulls: float = 0.05
    new: float = 0.01
    outside: float = 0.01
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value in self.limits.items():
            if not value > 0:
                raise ValueError(f"expected `{name}` above 0, got {value}")

    @property
    def limits(self) -> dict[str, float]:
        """Every limit by its metric."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "ignore"}

    def ignores(self, name: str) -> bool:
        """Return whether a column is not judged."""
        return any(fnmatchcase(name, pattern) for pattern in self.ignore)


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
        drift: how far served data may drift from training.
    """

    sampling: Sampling = Sampling()
    decision: Decision | None = None
    compare: dict[str, Tolerance] = {}
    skew: dict[str, Tolerance] = {}
    gates: GateLimits = GateLimits()
    drift: DriftLimits = DriftLimits()

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
        kind = tolerance.kind or known or _kind(field)
        if kind == "ignore":
            return None
        if (tolerance.absolute, tolerance.relative, tolerance.ulps) == (None, None, None):
            tolerance = _default(kind, field.type, same)
        return Comparator(
            kind=kind,
            absolute=tolerance.absolute or 0.0,
            relative=tolerance.relative or 0.0,
            ulps=tolerance.ulps or 0,
        )


def _unset_gates(raw: dict[str, Any]) -> None:
    """Turn off gates such as ``max_failed = "off"``. ``min_rows`` and ``confidence`` stay on."""
    gates = raw.get("gates")
    if isinstance(gates, dict):
        for name, value in gates.items():
            if value == "off" and name.startswith(("max_", "min_coverage", "min_hours")):
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


def _kind(field: pa.Field) -> NumberOrLabel:
    if pa.types.is_floating(field.type):
        return "probability" if field.name.startswith("probability_") else "number"
    is_whole = pa.types.is_integer(field.type) and field.name != "prediction"
    is_whole = is_whole or pa.types.is_decimal(field.type)
    return "number" if is_whole or pa.types.is_timestamp(field.type) else "label"


def _default(kind: str, type_: pa.DataType, same: bool) -> Tolerance:
    """Return the default: two artifacts may differ a little, one artifact only by rounding."""
    if kind == "label" or not pa.types.is_floating(type_):
        return Tolerance()
    if same:
        return Tolerance(absolute=ROUNDING_NEAR_ZERO, relative=ROUNDING)
    return Tolerance(absolute=0.05) if kind == "probability" else Tolerance(relative=0.01)


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
