"""Decide whether a column has drifted, by the policy's limits and by chance."""

from __future__ import annotations

import math
import sys

from gnomon.drift.chance import floors
from gnomon.drift.drift_report import Effect, Verdict
from gnomon.drift.metrics import BinnedSides, measures
from gnomon.policy import DriftLimits

__all__ = ["NEVER", "column_verdict", "effects", "overall", "worst"]

NEVER = sys.float_info.max
"""A limit that no value reaches; JSON cannot represent infinity."""


def effects(sides: BinnedSides, policy: DriftLimits) -> dict[str, Effect]:
    """Compute every metric of the column with its limit, its floor by chance, and its verdict.

    ``drifted``: above both. ``unknown``: above the limit but not above the floor, or the floor of
    PSI is above its limit, because there are too few rows.
    """
    chance = floors(sides)
    return {
        name: Effect(
            value=value,
            limit=min(policy.limits[name], NEVER),
            floor=min(chance[name], NEVER),
            verdict=_verdict(name, value, policy.limits[name], chance[name]),
        )
        for name, value in measures(sides).items()
    }


def column_verdict(
    sides: BinnedSides, policy: DriftLimits
) -> tuple[Verdict, dict[str, Effect]] | None:
    """Return the verdict of a column with its effects.

    None for one that has only ever been null: there is nothing that could drift.
    """
    if not any(sides.valued):
        return None
    by_metric = effects(sides, policy)
    return overall(by_metric), by_metric


def overall(by_metric: dict[str, Effect]) -> Verdict:
    """Return the verdict of a column from the verdicts of its effects."""
    verdicts = {effect.verdict for effect in by_metric.values()}
    if "drifted" in verdicts:
        return "drifted"
    return "unknown" if "unknown" in verdicts or "psi" not in by_metric else "ok"


def worst(by_metric: dict[str, Effect]) -> str:
    """Return the metric that exceeds its limit the most, among the drifted ones if any."""
    drifted = {name: effect for name, effect in by_metric.items() if effect.verdict == "drifted"}
    among = drifted or by_metric
    return max(among, key=lambda name: among[name].value / among[name].limit)


def _verdict(name: str, value: float, limit: float, floor: float) -> Verdict:
    if value > limit:
        return "drifted" if value > floor else "unknown"
    blind = name == "psi" and floor > limit and math.isfinite(limit)
    return "unknown" if blind else "ok"
