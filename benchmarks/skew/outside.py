"""Faults that the catalogue has no name for: a truthful description is what can be hoped for.

Where a name of the catalogue is true of one all the same, it is among its right or vague names.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.skew.truth import Claim, Fault, NotApplicable, Sides, Truth

__all__ = ["OUTSIDE"]

BOUND = (
    r"never|no (value|number)s? (above|below|over|under)|at most|at least|above|below|cap|clip"
    r"|limit|bound|ceiling|floor|maximum|minimum|saturat|winsor"
)
GRID = r"grid|step|multiple|nearest|rounded|bin|bucket|coarse"
NOISE = r"nois|random|scatter|jitter|perturb|varies|deviat"
MERGED = r"merge|rare|group|collaps|lump|pool|other label|replaced|one label|several labels|instead"
EARLIER = r"lag|previous|earlier|past|moving|rolling|smooth|averag|mean of"
FILLED = r"null|missing|fill|imput"
OTHER_ROW = (
    r"(another|other|different|wrong)( \w+)? (entit|row|record|key|request|account|one)"
    r"|belong|mixed"
)
CURVE = r"monoton|log|square|root|power|expon|non-?linear|curve|same order|function of"
BY_GROUP = r"\bper |\beach |for every|depends on|differs? (by|between)|of (its|the) group"
CONSTANT = r"constant|always|same value|one value|stuck|frozen"
SHIFT = (
    "time shift",
    "timestamp shift",
    "clock shift",
    "shifted timestamps",
    "shift",
    "clock skew",
)

LOCAL = {"segment": ("segment-local skew",), "client": ("segment-local skew",)}


def _local(sides: Sides, *more: str) -> tuple[str, ...]:
    return (*LOCAL.get(sides.scope, ()), *more)


def _truth(
    sides: Sides,
    name: str,
    what: str,
    rows: int,
    *claims: Claim,
    causes: tuple[str, ...] = (),
    vague: tuple[str, ...] = (),
    never: tuple[str, ...] = (),
) -> list[Truth]:
    return [Truth(what, (name,), causes, claims, _local(sides, *vague), never, rows=rows)]


def _number(sides: Sides, distinct: int = 12) -> str:
    """Draw a number that takes enough values."""
    frame = sides.online
    return sides.pick([n for n in sides.data.numbers if frame[n].nunique() >= distinct])


def _tidy(value: float, digits: int = 3) -> float:
    return float(f"{value:.{digits}g}")


def _clip(low: bool, high: bool) -> Callable[[Sides], list[Truth]]:
    def put(sides: Sides) -> list[Truth]:
        """A validator keeps values within what somebody thought possible."""
        name = _number(sides)
        values = sides.online[name]
        share = sides.rng.uniform(0.05, 0.3)
        least = _tidy(float(values.quantile(share))) if low else None
        most = _tidy(float(values.quantile(1 - share))) if high else None
        kept = values[(values > (least or -np.inf)) & (values < (most or np.inf))]
        if kept.nunique() < 8:
            raise NotApplicable
        rows = sides.change(name, values.clip(least, most))
        bounds = [b for b in (least, most) if b is not None]
        claims = [Claim(words=(BOUND,), numbers=tuple(bounds))]
        never = ("look-up that fails",)
        return _truth(sides, name, f"{name} is kept within {bounds}", rows, *claims, never=never)

    return put


def _null_outliers(sides: Sides) -> list[Truth]:
    """What a validator finds too large becomes null."""
    nullable = [n for n in sides.data.numbers if sides.data.frame[n].isna().mean() > 0.01]
    name = sides.pick(nullable)
    most = _tidy(float(sides.online[name].quantile(sides.rng.uniform(0.6, 0.9))))
    rows = sides.change(name, sides.online[name].where(sides.online[name] <= most))
    claims = (Claim(words=(BOUND, FILLED), numbers=(most,)),)
    vague = ("missing feature",)
    return _truth(sides, name, f"{name} is null above {most:g}", rows, *claims, vague=vague)


def _grid(sides: Sides) -> list[Truth]:
    """Values are put into a coarse grid, for privacy."""
    name = _number(sides)
    size = float(sides.online[name].std())
    step = float(sides.rng.choice([2.5, 5.0, 0.25, 0.5, 20.0])) * 10 ** np.floor(np.log10(size / 3))
    step = _tidy(float(step))
    down = bool(sides.rng.random() < 0.5)
    grid = (np.floor if down else np.round)(sides.online[name] / step) * step
    rows = sides.change(name, grid.round(9))
    claims = (Claim(words=(GRID,), numbers=(step,)),)
    return _truth(sides, name, f"{name} in steps of {step:g}", rows, *claims, vague=())


def _buckets(sides: Sides) -> list[Truth]:
    """Values become the middle of one of a few bins of unequal width."""
    name = _number(sides)
    values = sides.online[name]
    bins = pd.qcut(values, 6, duplicates="drop")
    middle = values.groupby(bins, observed=True).transform("median")
    rows = sides.change(name, middle.where(middle.notna(), values))
    count = int(middle.nunique())
    claims = (Claim(words=(GRID + "|distinct|different values|levels",)),)
    return _truth(sides, name, f"{name} in {count} bins", rows, *claims)


def _merged(sides: Sides) -> list[Truth]:
    """Rare labels are merged into "Other"."""
    data = sides.data
    names = [n for n in data.texts if sides.online[n].nunique() >= 4]
    name = sides.pick(names)
    counts = sides.online[name].value_counts()
    rare = counts.index[max(len(counts) // 2, 1) :]
    new = str(sides.rng.choice(["Other", str(counts.index[0])]))
    rows = sides.change(name, sides.online[name].where(~sides.online[name].isin(rare), new))
    claims = (Claim(words=(MERGED, new)),)
    causes = ("unknown category",) if new == "Other" else ()
    return _truth(sides, name, f"rare labels of {name} are {new}", rows, *claims, causes=causes)


def _hashed(sides: Sides) -> list[Truth]:
    """Labels that fall into one bucket of a hash take the label of the first of them."""
    name = sides.pick([n for n in sides.data.texts if sides.online[n].nunique() >= 4])
    labels = sides.online[name].value_counts().index
    buckets = max(len(labels) // 2, 2)
    first: dict[int, str] = {}
    to = {s: first.setdefault(zlib.crc32(str(s).encode()) % buckets, str(s)) for s in labels}
    rows = sides.change(name, sides.online[name].map(to))
    claims = (Claim(words=(MERGED + "|collision|hash",)),)
    return _truth(sides, name, f"labels of {name} collide", rows, *claims)


def _other_entity(sides: Sides) -> list[Truth]:
    """A wrong join: every feature of the row is that of another entity's latest row."""
    data, frame = sides.data, sides.online
    ids = frame["id"].unique()
    if len(ids) < 3:
        raise NotApplicable
    numbers = [sides.pick(data.numbers) for _ in range(min(3, len(data.numbers)))]
    to = dict(zip(ids, np.roll(ids, int(sides.rng.integers(1, len(ids)))), strict=True))
    last = frame.groupby("id")[numbers].last()
    rows = 0
    for name in numbers:
        rows = max(rows, sides.change(name, frame["id"].map(to).map(last[name])))
    claim = Claim(words=(OTHER_ROW,))
    never = ("never above", "never below")
    columns = tuple(numbers)
    return [
        Truth("the rows of another entity", columns, (), (claim,), _local(sides), never, rows=rows)
    ]


def _one_key(sides: Sides) -> list[Truth]:
    """One key of a join is wrong: its rows have the value of another key."""
    frame = sides.online
    many = frame["id"].value_counts()
    if len(many) < 3 or many.iloc[0] < 20:
        raise NotApplicable
    name = _number(sides)
    wrong, right = (
        str(many.index[0]),
        str(many.index[int(sides.rng.integers(1, min(6, len(many))))]),
    )
    source = frame.loc[frame["id"] == right, ["at", name]].dropna().sort_values("at")
    joined = pd.merge_asof(frame[["at"]], source, on="at", direction="nearest")[name]
    sides.where = sides.where & (frame["id"] == wrong).to_numpy()
    rows = sides.change(name, joined)
    claims = (Claim(words=(OTHER_ROW,)), Claim(words=(right,)))
    vague = ("segment-local skew",)
    what = f"{name} of {wrong} is that of {right}"
    return _truth(sides, name, what, rows, *claims, vague=vague)


def _noise(relative: bool) -> Callable[[Sides], list[Truth]]:
    def put(sides: Sides) -> list[Truth]:
        """A noise is added, for privacy or by a sensor."""
        name = _number(sides)
        values = sides.online[name]
        drawn = sides.rng.standard_normal(len(values))
        if relative:
            size = float(sides.rng.choice([0.01, 0.03, 0.1]))
            new, said = values * (1 + size * drawn), (size, size * 100)
        else:
            size = _tidy(float(values.std()) * float(sides.rng.uniform(0.02, 0.2)), 2)
            new, said = values + size * drawn, (size,)
        rows = sides.change(name, new)
        claims = [Claim(words=(NOISE,), numbers=(number,), tolerance=0.2) for number in said]
        kind = "of a share of" if relative else "of"
        what = f"a noise {kind} {size:g} on {name}"
        return _truth(sides, name, what, rows, *claims, Claim(words=(NOISE,)))

    return put


def _smooth(kind: str) -> Callable[[Sides], list[Truth]]:
    def put(sides: Sides) -> list[Truth]:
        """The value is averaged over the entity's last rows."""
        if (sides.online.groupby("id").size() < 4).mean() > 0.5:
            raise NotApplicable
        name = _number(sides)
        groups = sides.online.groupby("id")[name]
        if kind == "mean of three":
            new = groups.transform(lambda s: s.rolling(3, min_periods=1).mean())
        else:
            new = groups.transform(lambda s: s.ewm(alpha=0.4, ignore_na=True).mean())
        rows = sides.change(name, new.where(sides.online[name].notna()))
        claims = (Claim(words=(EARLIER,)),)
        return _truth(sides, name, f"{name} as a {kind} of the entity's last rows", rows, *claims)

    return put


def _fill(kind: str) -> Callable[[Sides], list[Truth]]:
    def put(sides: Sides) -> list[Truth]:
        """Nulls are filled in by something else than a constant."""
        frame = sides.online
        names = [n for n in sides.data.numbers if (frame[n].isna() & sides.where).sum() >= 20]
        name = sides.pick(names)
        if kind == "previous":
            new = frame.groupby("id")[name].ffill()
            said = "previous|last|earlier|before|forward"
        else:
            text = str(sides.rng.choice([*sides.data.texts, "id"]))
            said = "mean|average|group"
            new = frame[name].fillna(frame.groupby(text)[name].transform("mean"))
        rows = sides.change(name, new)
        claims = (Claim(words=(FILLED, said)),)
        never = ("null on the online side", "find out why the offline side lacks")
        return _truth(
            sides,
            name,
            f"nulls of {name} are filled by the {kind}",
            rows,
            *claims,
            causes=(),
            vague=("imputation",),
            never=never,
        )

    return put


def _by_group(sides: Sides) -> list[Truth]:
    """Each group is scaled by its own mean."""
    frame = sides.online
    texts = [n for n in sides.data.texts if 2 <= frame[n].nunique() <= 12 and n not in sides.taken]
    if not texts:
        raise NotApplicable
    name, text = _number(sides), str(sides.rng.choice(texts))
    mean = frame.groupby(text)[name].transform("mean")
    rows = sides.change(name, (frame[name] / mean.where(mean != 0, 1.0)).round(6))
    claims = (Claim(words=(BY_GROUP, text)),)
    return _truth(sides, name, f"{name} is divided by its mean per {text}", rows, *claims)


def _group_constant(sides: Sides) -> list[Truth]:
    """The table of an aggregate stands in: one value per label."""
    frame = sides.online
    texts = [n for n in sides.data.texts if 2 <= frame[n].nunique() <= 12 and n not in sides.taken]
    if not texts:
        raise NotApplicable
    name, text = _number(sides), str(sides.rng.choice(texts))
    rows = sides.change(name, frame.groupby(text)[name].transform("median").round(3))
    claims = (Claim(words=(CONSTANT, text)), Claim(words=(BY_GROUP, text)))
    return _truth(sides, name, f"{name} is its median per {text}", rows, *claims)


def _curve(kind: str) -> Callable[[Sides], list[Truth]]:
    functions = {"log1p": np.log1p, "square root": np.sqrt, "square": np.square}

    def put(sides: Sides) -> list[Truth]:
        """A transform is done twice, or by the client already."""
        frame = sides.online
        names = [n for n in sides.data.numbers if frame[n].min() >= 0 and frame[n].nunique() >= 12]
        name = sides.pick(names)
        rows = sides.change(name, pd.Series(functions[kind](frame[name])).round(9))
        claims = (Claim(words=(CURVE,)),)
        return _truth(sides, name, f"{name} as its {kind}", rows, *claims)

    return put


def _rank(sides: Sides) -> list[Truth]:
    """A percentile takes the place of the value."""
    name = _number(sides)
    rows = sides.change(name, (sides.online[name].rank(pct=True) * 100).round(1))
    claims = (Claim(words=(CURVE + "|rank|percentile",)),)
    return _truth(sides, name, f"{name} as a percentile", rows, *claims)


def _linear(sides: Sides) -> list[Truth]:
    """The client scales to 0 and 1 by its own extremes."""
    name = _number(sides)
    low, high = float(sides.online[name].min()), float(sides.online[name].max())
    rows = sides.change(name, (sides.online[name] - low) / (high - low))
    claims = (Claim(words=("linear|scaled|times",), numbers=(1 / (high - low),)),)
    causes = ("unit change", "stale scaler statistics")
    return _truth(sides, name, f"{name} scaled to 0 and 1", rows, *claims, vague=causes)


def _sign(sides: Sides) -> list[Truth]:
    """The sign is lost, or turned."""
    frame = sides.online
    signed = [n for n in sides.data.numbers if (frame[n] < 0).mean() > 0.08]
    if signed and sides.rng.random() < 0.7:
        name = sides.pick(signed)
        rows = sides.change(name, frame[name].abs())
        claims = (Claim(words=("sign|absolute|negative|never below|at least",)),)
        return _truth(sides, name, f"the sign of {name} is lost", rows, *claims)
    name = _number(sides)
    rows = sides.change(name, -frame[name])
    claims = (
        Claim(words=("sign|negative|minus|opposite",)),
        Claim(numbers=(-1.0,), words=("times",)),
    )
    causes = ("unit change",)
    return _truth(sides, name, f"the sign of {name} is turned", rows, *claims, causes=causes)


def _overflow(sides: Sides) -> list[Truth]:
    """A field of eight bits: values start over at 256."""
    frame = sides.online
    names = [n for n in sides.data.numbers if (frame[n] >= 256).mean() > 0.15]
    name = sides.pick([n for n in names if frame[n].min() >= 0])
    rows = sides.change(name, frame[name] % 256)
    claims = (Claim(words=("modulo|remainder|wrap|overflow|multiple|never above|at most",)),)
    vague = ("constant offset",)
    return _truth(sides, name, f"{name} modulo 256", rows, *claims, vague=vague)


def _stuck(sides: Sides) -> list[Truth]:
    """A sensor hangs: the same value again and again."""
    name = _number(sides)
    values = sides.online[name]
    value = float(values[sides.where].dropna().iloc[0])
    rows = sides.change(name, pd.Series(value, index=values.index))
    claims = (Claim(words=(CONSTANT,), numbers=(value,)), Claim(numbers=(value,)))
    causes = ("missing feature",)  # "one default where the other side has values"
    return _truth(sides, name, f"{name} is stuck at {value:g}", rows, *claims, causes=causes)


def _suppressed(sides: Sides) -> list[Truth]:
    """Small values are suppressed to zero, as statistics offices do."""
    frame = sides.online
    name = sides.pick([n for n in sides.data.numbers if frame[n].min() >= 0])
    least = _tidy(float(frame[name].quantile(sides.rng.uniform(0.2, 0.4))))
    rows = sides.change(name, frame[name].where(frame[name] >= least, 0.0))
    claims = (Claim(words=(BOUND + "|small|less",), numbers=(least,)),)
    vague = ("missing feature",)
    return _truth(sides, name, f"{name} below {least:g} is 0", rows, *claims, vague=vague)


def _shift(minutes: int) -> Callable[[Sides], list[Truth]]:
    def put(sides: Sides) -> list[Truth]:
        """A clock runs late, or the time is that of another event."""
        sides.pick(["at"])
        rows = sides.change("at", sides.online["at"] + pd.Timedelta(minutes=minutes))
        claims = (Claim(minutes=float(minutes)),)
        what = f"timestamps {minutes} minutes late"
        right = (*SHIFT, "constant offset")
        return _truth(sides, "at", what, rows, *claims, causes=right)

    return put


def _clock_noise(sides: Sides) -> list[Truth]:
    """The time of arrival stands in for that of the event: late by a different span each time."""
    sides.pick(["at"])
    late = pd.to_timedelta(sides.rng.exponential(1800, len(sides.online)).round(), unit="s")
    rows = sides.change("at", sides.online["at"] + late)
    claims = (Claim(words=("late|after|delay|ahead|behind",)),)
    return _truth(sides, "at", "timestamps late by up to hours", rows, *claims)


def _cut_time(sides: Sides) -> list[Truth]:
    """Only the day, or the hour, of a timestamp is kept."""
    sides.pick(["at"])
    unit = str(sides.rng.choice(["h", "D"]))
    rows = sides.change("at", sides.online["at"].dt.floor(unit))
    words = "hour" if unit == "h" else r"day|date|midnight|24 hours"
    claims = (Claim(words=(words,)),)
    right = ("truncation", "timestamp truncation", "truncated timestamps")
    what = f"only the {'hour' if unit == 'h' else 'day'} is kept"
    return _truth(sides, "at", what, rows, *claims, causes=right, vague=("rounding",))


def _dst_week(sides: Sides) -> list[Truth]:
    """Summer time began for one side some weeks before the other."""
    sides.pick(["at"])
    at = sides.online["at"]
    begin = at.quantile(float(sides.rng.uniform(0.1, 0.7)))
    weeks = (at >= begin) & (at < begin + pd.Timedelta(days=21))
    rows = sides.change("at", at.where(~weeks, at + pd.Timedelta(hours=1)))
    claims = (Claim(minutes=60.0),)
    right = ("time zone", "daylight saving", "daylight saving time", *SHIFT)
    what = f"an hour late for three weeks from {begin:%Y-%m-%d}"
    return _truth(sides, "at", what, rows, *claims, causes=right, vague=("constant offset",))


def _half_hour_zone(sides: Sides) -> list[Truth]:
    """One segment sends the local time of a zone that is off by half an hour."""
    sides.pick(["at"])
    zone, minutes = [
        ("Asia/Kolkata", 330),
        ("Australia/Darwin", 570),
        ("Asia/Kathmandu", 345),
    ][int(sides.rng.integers(3))]
    rows = sides.change("at", sides.online["at"] + pd.Timedelta(minutes=minutes))
    claims = (Claim(minutes=float(minutes)), Claim(words=(zone,)))
    right = ("time zone", *SHIFT)
    what, less = f"the local time of {zone}", ("constant offset",)
    return _truth(sides, "at", what, rows, *claims, causes=right, vague=less)


# Two on one column.


def _noise_and_unit(sides: Sides) -> list[Truth]:
    name = _number(sides)
    factor = 1000.0
    drawn = 1 + 0.03 * sides.rng.standard_normal(len(sides.online))
    rows = sides.change(name, sides.online[name] * factor * drawn)
    one = Truth(
        f"{name} times 1,000",
        (name,),
        ("unit change",),
        (Claim(numbers=(factor,), tolerance=0.02),),
        _local(sides),
        rows=rows,
    )
    return [one, *_truth(sides, name, "with a noise of 3%", rows, Claim(words=(NOISE,)))]


def _clip_and_round(sides: Sides) -> list[Truth]:
    name = _number(sides)
    values = sides.online[name]
    most = _tidy(float(values.quantile(0.8)))
    digits = int(np.clip(1 - np.floor(np.log10(float(values.std()))), 0, 4))
    rows = sides.change(name, values.clip(upper=most).round(digits))
    if np.allclose(values.dropna(), values.dropna().round(digits)):
        raise NotApplicable
    one = _truth(sides, name, f"{name} at most {most:g}", rows, Claim((BOUND,), (most,)))
    claims = (Claim(words=("round|decimal|digit|whole|" + GRID,)),)
    return [*one, Truth(f"rounded to {digits}", (name,), ("rounding",), claims, rows=rows)]


SOME = ("whole", "since", "share", "client")
FEW = ("whole", "since", "client")

OUTSIDE = [
    Fault("clipped above", False, _clip(low=False, high=True)),
    Fault("clipped below", False, _clip(low=True, high=False)),
    Fault("clipped on both sides", False, _clip(low=True, high=True), FEW),
    Fault("null above a bound", False, _null_outliers, FEW),
    Fault("coarse grid", False, _grid),
    Fault("bins", False, _buckets, FEW),
    Fault("rare labels merged", False, _merged, SOME),
    Fault("labels collide", False, _hashed, FEW),
    Fault("another entity's row", False, _other_entity),
    Fault("one wrong key", False, _one_key, ("whole",)),
    Fault("additive noise", False, _noise(relative=False)),
    Fault("relative noise", False, _noise(relative=True)),
    Fault("moving mean", False, _smooth("mean of three"), FEW),
    Fault("exponential mean", False, _smooth("exponential mean"), FEW),
    Fault("filled with the previous", False, _fill("previous"), FEW),
    Fault("filled with the group's mean", False, _fill("group mean"), FEW),
    Fault("scaled per group", False, _by_group, FEW),
    Fault("one value per group", False, _group_constant, SOME),
    Fault("log", False, _curve("log1p")),
    Fault("square root", False, _curve("square root"), FEW),
    Fault("square", False, _curve("square"), FEW),
    Fault("percentile", False, _rank, FEW),
    Fault("scaled to 0 and 1", False, _linear, FEW),
    Fault("sign", False, _sign),
    Fault("eight bits", False, _overflow, SOME),
    Fault("stuck", False, _stuck, ("since", "client", "share")),
    Fault("small values suppressed", False, _suppressed, FEW),
    Fault("17 minutes late", False, _shift(17)),
    Fault("an hour late", False, _shift(60), ("share", "client")),
    Fault("time of arrival", False, _clock_noise, FEW),
    Fault("time cut", False, _cut_time),
    Fault("summer time too early", False, _dst_week, ("whole",)),
    Fault("half-hour zone", False, _half_hour_zone, ("segment", "client")),
    Fault("noise, unit", False, _noise_and_unit, FEW, "composed"),
    Fault("clipped, rounded", False, _clip_and_round, FEW, "composed"),
]
