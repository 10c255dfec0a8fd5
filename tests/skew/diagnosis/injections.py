"""Every named cause, injected into real rows at a strength from 0 (slight) to 1 (strong)."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tests.skew.diagnosis.worlds import World

__all__ = ["CAUSES", "Sides", "inject"]

Frame = pd.DataFrame
Rng = np.random.Generator


@dataclass
class Sides:
    """The same requests as each side saw them.

    Attributes:
        online: features online; ``offline``: features offline.
        artifact: the variant that answered online; ``predicted``: the one that did offline.
        fault: what is wrong with the online code.
        known: when the offline values were known.
        exact: the policy lets nothing pass.
        columns: columns changed.
        feedback: online values are made of the answers: weight of the last one.
    """

    online: Frame
    offline: Frame
    artifact: tuple[str, dict[str, object]] = ("", {})
    predicted: tuple[str, dict[str, object]] = ("", {})
    fault: str = ""
    known: pd.Series | None = None
    exact: bool = False
    columns: list[str] = field(default_factory=list)
    feedback: float = 0.0
    noise: float = 0.0
    alone: bool = False


Injection = Callable[[World, Sides, float, Rng], None]


def _some(sides: Sides, strength: float, rng: Rng) -> np.ndarray:
    """Rows it happens to: a tenth, a third, or all of them."""
    share = (0.12, 0.35, 1.0)[min(int(strength * 3), 2)]
    return rng.random(len(sides.online)) < share


def _number(world: World, sides: Sides, rng: Rng) -> str:
    free = [name for name in world.numbers if name not in sides.columns and name != "recent"]
    name = str(rng.choice(free[:5]))
    sides.columns.append(name)
    return name


def rounding(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    """Round to fewer digits than the column has."""
    name = _number(world, sides, rng)
    values = sides.offline[name]
    noisy = values + rng.uniform(-0.5, 0.5, len(values)) * float(values.std()) * 0.01
    sides.offline[name] = noisy
    width = int(np.floor(np.log10(float(noisy.std()))))
    sides.online[name] = noisy.round(2 - width - int(strength * 2.9))


def float32(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    name = _number(world, sides, rng)
    values = sides.offline[name] * (1 + rng.uniform(-1, 1, len(sides.offline)) * 1e-3)
    sides.offline[name] = values
    sides.online[name] = values.astype("float32").astype(float)


def truncation(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    name = _number(world, sides, rng)
    values = sides.offline[name] + rng.uniform(0, 1, len(sides.offline))
    if values.std() < 1:
        values *= 50 / values.std()
    sides.offline[name] = values
    sides.online[name] = np.trunc(values)


def float_noise(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    sides.exact = True
    sides.noise = 1e-15 * 10 ** (strength * 1.5)


def unit_change(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    """Change the unit from some time on, or always."""
    name = _number(world, sides, rng)
    factor = float(rng.choice([0.001, 0.1, 0.4536, 1.609344, 2.54, 60.0, 100.0, 1000.0, 0.0]))
    rows = np.arange(len(sides.online)) >= (1 - (0.3, 0.6, 1.0)[min(int(strength * 3), 2)]) * len(
        sides.online
    )
    values = sides.online[name]
    sides.online.loc[rows, name] = values[rows] * factor if factor else values[rows] * 1.8 + 32


def imputation(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    """Filled in before the model, with another statistic than the pipeline's."""
    sides.artifact = ("median", {"statistic": "median"}) if strength < 0.5 else sides.artifact
    if strength >= 0.5:
        name = _number(world, sides, rng)
        null = sides.offline[name].isna()
        sides.online.loc[null, name] = float(
            rng.choice([0.0, -1.0, round(float(sides.offline[name].quantile(0.2)), 3)])
        )
    else:
        sides.columns += world.numbers


def missing_feature(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    name = _number(world, sides, rng)
    rows = _some(sides, strength, rng)
    sides.online.loc[rows, name] = float(rng.choice([np.nan, np.nan, 0.0, -1.0, -999.0]))


def category_form(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    name = _label(world, sides, rng)
    change = [
        lambda s: s.str.lower().where(s.str.lower() != s, s.str.upper()),
        lambda s: " " + s + " ",
        lambda s: s.map(
            lambda t: (
                unicodedata.normalize("NFD", t)
                if unicodedata.normalize("NFD", t) != t
                else t + "\u200a".strip() + "\u00a0"
            )
        ),
    ][int(rng.integers(3))]
    rows = _some(sides, strength, rng)
    sides.online.loc[rows, name] = change(sides.online.loc[rows, name].astype(str))


def unknown_category(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    name = _label(world, sides, rng)
    rows = _some(sides, strength, rng)
    if rng.random() < 0.5:
        rows = sides.online[name] == sides.online[name].value_counts().index[1]
    sides.online.loc[rows, name] = str(rng.choice(["unknown", "OTHER", "n/a", "ZZ"]))


def category_code_order(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    """Labels exchanged: the two most frequent, or all."""
    name = _label(world, sides, rng)
    labels = list(sides.offline[name].value_counts().index)
    moved = labels[: max(2, round((0.3, 0.6, 1.0)[min(int(strength * 3), 2)] * len(labels)))]
    sides.online[name] = sides.online[name].replace(
        dict(zip(moved, [*moved[1:], moved[0]], strict=True))
    )


def column_order(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    free = [n for n in world.numbers if n not in sides.columns and n != "recent"][:5]
    count = 2 if strength < 0.6 else 3
    names = [str(n) for n in rng.choice(free, count, replace=False)]
    sides.columns += names
    sides.online[names] = sides.offline[[*names[1:], names[0]]].to_numpy()


def stale_scaler(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    n = len(world.frame)
    part = (slice(0, n // 8), slice(n // 8, n // 2), slice(0, n // 3))[min(int(strength * 3), 2)]
    sides.artifact = (f"scaler{min(int(strength * 3), 2)}", {"scaled": part})
    sides.columns += world.numbers


def time_zone(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    zone = str(rng.choice(["UTC", "Europe/Berlin", "Asia/Tokyo", "America/Los_Angeles"]))
    if strength < 0.4:
        sides.artifact = (f"zone-{zone.rpartition('/')[2].lower()}", {"zone": zone})
        if zone != "UTC":
            sides.artifact = ("zone-utc", {"zone": "UTC"})
    else:
        local = sides.online["at"].dt.tz_convert(zone if zone != "UTC" else "America/New_York")
        sides.online["at"] = (
            local.dt.tz_localize(None)
            .dt.tz_localize("UTC", ambiguous="NaT", nonexistent="NaT")
            .fillna(sides.online["at"])
            .astype(sides.offline["at"].dtype)
        )


def locale(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    name = _number(world, sides, rng)
    values = sides.offline[name]
    if (values.dropna() % 1 == 0).mean() > 0.5:
        values = values * 1.07
    values = values.round(2)
    sides.offline[name] = values
    read = values.map(lambda x: x if x != x or x == int(x) else float(repr(x).replace(".", "")))
    sides.online[name] = read


def date_format(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    at = sides.online["at"]
    can = (at.dt.day <= 12) & (at.dt.day != at.dt.month)
    swapped = [
        t.replace(day=t.month, month=t.day) if c else t for t, c in zip(at, can, strict=True)
    ]
    sides.online["at"] = pd.Series(swapped).astype(at.dtype)


def stale_data(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    """The value of the entity's visit before the last, or a cache that is refreshed irregularly."""
    name = "recent"
    sides.columns.append(name)
    by = sides.offline.groupby("id")[name]
    if strength < 0.6:
        sides.online[name] = by.shift(1 if strength < 0.3 else 2).fillna(sides.offline[name])
    else:
        turn = sides.offline.groupby("id").cumcount() // 3 * 3
        first = sides.offline.groupby(["id", turn])[name].transform("first")
        sides.online[name] = first


def temporal_leakage(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    """Offline has the value of the next visit, and says when it was known."""
    name = "recent"
    sides.columns.append(name)
    by = sides.online.groupby("id")
    later = by[name].shift(-1).fillna(sides.online[name])
    sides.offline[name] = later
    known = by["at"].shift(-1).fillna(sides.online["at"] - pd.Timedelta(hours=1))
    same = later == sides.online[name]
    sides.known = known.where(~same, sides.online["at"] - pd.Timedelta(hours=1)).astype(
        sides.online["at"].dtype
    )


def feedback_loop(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    sides.columns.append("recent")
    sides.feedback = 0.3 + strength


def batch_dependent(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    sides.fault, sides.alone = "batch", True


def dtype_inference(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    """A request whose number is whole makes the column one of integers."""
    name = world.numbers[0]
    rows = rng.random(len(sides.online)) < 0.3 + strength / 3
    whole = sides.online[name].fillna(sides.online[name].mean()).round()
    sides.online.loc[rows, name] = whole[rows]
    sides.online.loc[~rows, name] = whole[~rows] + 0.25
    sides.offline[name] = sides.online[name]
    sides.fault, sides.alone = "dtype", True
    sides.columns.append(name)


def nondeterminism(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    sides.fault = "draw"


def segment_local(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    """Numbers of one kind of row are spoiled without a pattern."""
    name, by = _number(world, sides, rng), world.texts[0]
    value = sides.online[by].value_counts().index[min(int(strength * 3), 2)]
    rows = (sides.online[by] == value) & sides.online[name].notna()
    spread = float(sides.online[name].std())
    sides.online.loc[rows, name] += rng.normal(0, spread, int(rows.sum()))


def another_version(world: World, sides: Sides, strength: float, rng: Rng) -> None:
    """Offline was predicted by a model that was fitted with another seed, or on other rows."""
    n = len(world.frame)
    sides.predicted = ("other", {"rows": slice(n // 16, n // 2)})


def _label(world: World, sides: Sides, rng: Rng) -> str:
    free = [name for name in world.texts if name not in sides.columns]
    name = free[0] if len(free) == 1 else str(rng.choice(free))
    sides.columns.append(name)
    return name


CAUSES: dict[str, Injection] = {
    "rounding": rounding,
    "float32": float32,
    "truncation": truncation,
    "float noise": float_noise,
    "unit change": unit_change,
    "imputation": imputation,
    "missing feature": missing_feature,
    "category form": category_form,
    "unknown category": unknown_category,
    "category code order": category_code_order,
    "column order": column_order,
    "stale scaler statistics": stale_scaler,
    "time zone": time_zone,
    "locale": locale,
    "date format": date_format,
    "stale data": stale_data,
    "temporal leakage": temporal_leakage,
    "feedback loop": feedback_loop,
    "batch-dependent transform": batch_dependent,
    "single-row dtype inference": dtype_inference,
    "nondeterminism": nondeterminism,
    "segment-local skew": segment_local,
    "another version": another_version,
}


def inject(world: World, causes: list[str], strength: float, seed: int, rows: int) -> Sides:
    """Rows of a world with some causes in them."""
    rng = np.random.default_rng(seed)
    served = world.served
    begin = int(rng.integers(0, max(len(served) - rows, 0) + 1))
    frame = served.iloc[begin : begin + rows].reset_index(drop=True)
    sides = Sides(frame.copy(), frame.copy())
    for cause in causes:
        CAUSES[cause](world, sides, strength, rng)
    return sides
