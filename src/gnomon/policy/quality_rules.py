"""What a shadow's answers may cost in quality, by the labels of the same rows."""

from __future__ import annotations

import math
from typing import Literal, cast, get_args

import msgspec

__all__ = ["Costs", "Metric", "QualityRules"]

Metric = Literal["error", "brier", "log_loss", "absolute_error", "squared_error", "cost"]


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a wrong decision costs, in any unit; a right one costs nothing.

    Attributes:
        false_positive: of deciding yes where the label says no.
        false_negative: of deciding no where the label says yes.
    """

    false_positive: float
    false_negative: float

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"expected `{name}` to be 0 or more, got {getattr(self, name)}")
        if not self.largest:
            raise ValueError("expected a cost above 0, got two of 0")

    @property
    def largest(self) -> float:
        """The cost of the more expensive mistake."""
        return max(self.false_positive, self.false_negative)


class QualityRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How live and a shadow are compared by labels; each limit is a gate.

    Attributes:
        max_increase: by metric, how much larger the shadow's loss may be than live's, in the
            metric's unit. 0 asks for proof that it is not larger at all, a negative number for
            proof of an improvement by that much.
        maturity_days: only rows at least this old count, so that labels which come early do not
            decide alone.
        missing: how old rows without a label count: ``ignored``, or each in the worst way that a
            label could turn out (``worst_case``).
        cost: what wrong decisions cost, for the metric ``cost``.
        max_error: an error of a number beyond this counts as this. When not given, it is the
            range of live's predictions in training.
        min_probability: a smaller probability of the true class counts as this in ``log_loss``.
        segments: features; quality is also reported by their values.
    """

    max_increase: dict[str, float] = {}
    maturity_days: float = 0.0
    missing: Literal["ignored", "worst_case"] = "ignored"
    cost: Costs | None = None
    max_error: float | None = None
    min_probability: float = 0.01
    segments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for metric, limit in self.max_increase.items():
            if metric not in get_args(Metric):
                known = ", ".join(get_args(Metric))
                raise ValueError(
                    f"expected a metric in `max_increase`, one of {known}, got {metric}"
                )
            if not math.isfinite(limit):
                raise ValueError(f"expected a finite `max_increase.{metric}`, got {limit}")
        if not 0 <= self.maturity_days < math.inf:
            raise ValueError(f"expected `maturity_days` to be 0 or more, got {self.maturity_days}")
        if self.max_error is not None and not 0 < self.max_error < math.inf:
            raise ValueError(f"expected `max_error` above 0, got {self.max_error}")
        if not 0 < self.min_probability < 0.5:
            raise ValueError(
                f"expected `min_probability` above 0 and below 0.5, got {self.min_probability}"
            )
        if "cost" in self.max_increase and self.cost is None:
            raise ValueError(
                "expected `cost` beside `max_increase.cost`: what wrong decisions cost, such as "
                "cost = {false_positive = 1, false_negative = 5}"
            )

    @property
    def limits(self) -> dict[Metric, float]:
        """:attr:`max_increase`, whose keys are known to be metrics."""
        return cast("dict[Metric, float]", self.max_increase)
