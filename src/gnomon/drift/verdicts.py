"""Whether a column has drifted: effects against the policy's limits and against chance."""

from __future__ import annotations

import math
import sys

from gnomon.drift.chance import floors
from gnomon.drift.metrics import BinnedSides, measures
from gnomon.drift.model import Effect, Verdict
from gnomon.policy import Drift

__all__ = ["NEVER", "effects", "overall", "worst"]

NEVER = sys.float_info.max
"""A limit that nothing reaches; JSON has no infinity."""


def effects(sides: BinnedSides, policy: Drift) -> dict[str, Effect]:
    """Every metric of the column with its limit, what chance alone gives, and what follows.

    ``drifted``: above both. ``unknown``: above the limit and not above chance, or PSI could not be
    told from chance at its limit, because there are too few rows.
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


def overall(found: dict[str, Effect]) -> Verdict:
    """The verdict of a column from those of its effects."""
    verdicts = {effect.verdict for effect in found.values()}
    if "drifted" in verdicts:
        return "drifted"
    return "unknown" if "unknown" in verdicts or "psi" not in found else "ok"


def worst(found: dict[str, Effect]) -> str:
    """The metric that exceeds its limit the most, of those that have drifted if any has."""
    drifted = {name: effect for name, effect in found.items() if effect.verdict == "drifted"}
    among = drifted or found
    return max(among, key=lambda name: among[name].value / among[name].limit)


def _verdict(name: str, value: float, limit: float, floor: float) -> Verdict:
    if value > limit:
        return "drifted" if value > floor else "unknown"
    blind = name == "psi" and floor > limit and math.isfinite(limit)
    return "unknown" if blind else "ok"
