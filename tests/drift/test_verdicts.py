"""Verdicts on single metrics, and over all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec.structs import replace

from gnomon.drift.drift_report import Effect
from gnomon.drift.verdicts import effects, overall, worst
from gnomon.policy import DriftLimits
from tests.drift.columns import against, frozen


def rows(count: int, mean: float = 0.0) -> Any:
    """Numbers that are the same whatever test was run before."""
    return np.random.default_rng(count).normal(mean, 1, count)


BINS = frozen(rows(20_000))


def test_a_small_shift_of_many_rows_is_no_drift() -> None:
    """Significant (p below 1e-20), but too small to matter: effect sizes decide."""
    found = effects(against(BINS, rows(50_000, 0.1)), DriftLimits())
    assert found["ks"].value > found["ks"].floor
    assert overall(found) == "ok"


def test_a_large_shift_is_drift() -> None:
    """Above the limit and above chance; the worst metric is the furthest beyond its limit."""
    found = effects(against(BINS, rows(2_000, 1.0)), DriftLimits())
    assert overall(found) == "drifted"
    assert found[worst(found)].verdict == "drifted"
    beyond = {name: e.value / e.limit for name, e in found.items() if e.verdict == "drifted"}
    assert worst(found) == max(beyond, key=lambda name: beyond[name])


def test_the_worst_metric_is_a_drifted_one() -> None:
    """However far one that chance may explain is beyond its limit."""
    drifted = Effect(value=0.3, limit=0.2, floor=0.1, verdict="drifted")
    by_chance = Effect(value=0.9, limit=0.1, floor=1.0, verdict="unknown")
    assert worst({"psi": by_chance, "ks": drifted}) == "ks"
    assert worst({"psi": by_chance, "ks": replace(drifted, verdict="ok")}) == "psi"


def test_what_chance_could_be_is_unknown() -> None:
    """Thirty rows of training's own distribution are neither drift nor its absence."""
    found = effects(against(BINS, rows(30)), DriftLimits())
    assert overall(found) == "unknown"


def test_nothing_but_nulls_is_drift_of_nulls() -> None:
    """A column without values has no shape, but its nulls are known."""
    found = effects(against(BINS, np.full(500, np.nan)), DriftLimits())
    assert (overall(found), worst(found)) == ("drifted", "nulls")


def test_a_column_that_cannot_show_a_shift_is_unknown() -> None:
    """PSI is below its limit, but chance alone would exceed that limit: too few rows to say ok."""
    sides = against(BINS, rows(300))
    psi = effects(sides, DriftLimits())["psi"]
    assert psi.value < psi.floor
    limit = (psi.value + psi.floor) / 2
    assert effects(sides, DriftLimits(psi=limit))["psi"].verdict == "unknown"
    assert overall(effects(sides, DriftLimits(psi=limit))) == "unknown"
    assert effects(sides, DriftLimits(psi=psi.floor * 1.01))["psi"].verdict == "ok"
