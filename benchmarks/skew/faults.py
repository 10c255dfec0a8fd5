"""Faults that the catalogue of ``docs/diagnose.md`` has a name for, as they come about in practice.

Each is written from what goes wrong between training and serving, not from what a detector looks
for. ``benchmarks.skew.outside`` has those without a name, ``FAULTS`` has them all.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.skew.outside import OUTSIDE
from benchmarks.skew.spoiled import other_fill, other_scaler, other_zone, parts, reordered
from benchmarks.skew.steps import Numbers
from benchmarks.skew.truth import ANY, Claim, Fault, NotApplicable, Sides, Truth, offsets

__all__ = ["FAULTS"]

MINUS = "[-\N{MINUS SIGN}]"
"""Either sign, in a regular expression."""

VAGUE = {"segment": ("segment-local skew",), "client": ("segment-local skew",)}
"""Names that are true of anything in one segment."""


def vague(sides: Sides) -> tuple[str, ...]:
    """Return what is true of any fault with this scope."""
    return VAGUE.get(sides.scope, ())


def _decimals(values: pd.Series, most: int = 6) -> pd.Series:
    """How many decimals each number is written with."""
    found = pd.Series(most, index=values.index)
    for digits in range(most - 1, -1, -1):
        found[np.isclose(values, values.round(digits), rtol=0, atol=1e-9)] = digits
    return found


def _precise(sides: Sides, digits: int = 1) -> list[str]:
    """Numbers of which many have more decimals than these."""
    frame = sides.online
    return [n for n in sides.data.numbers if (_decimals(frame[n].dropna()) > digits).mean() > 0.3]


def _scaled(sides: Sides, name: str, factor: float, what: str, words: tuple[str, ...]) -> Truth:
    rows = sides.change(name, sides.online[name] * factor)
    return Truth(
        what,
        (name,),
        ("unit change",),
        (Claim(numbers=(factor,)), *(Claim(words=words) for _ in words[:1])),
        vague(sides),
        factor=factor,
        rows=rows,
    )


CONVERSIONS: dict[str, list[tuple[str, float, tuple[str, ...]]]] = {
    "miles": [("kilometres", 1.609344, ("mile", r"kilomet|\bkm\b"))],
    "mph": [("kilometres an hour", 1.609344, (r"mile|mph", r"kilomet|km"))],
    "inches": [("millimetres", 25.4, ("inch", r"millimet|\bmm\b"))],
    "mm": [("inches", 1 / 25.4, ("inch", r"millimet|\bmm\b")), ("centimetres", 0.1, ())],
    "carats": [("grams", 0.2, ("carat", "gram"))],
    "dollars": [("cents", 100.0, (r"\bcent",)), ("thousands", 0.001, ("thousand",))],
    "thousands": [("dollars", 1000.0, ("thousand",)), ("millions", 0.001, ("thousand|million",))],
    "percent": [("shares", 0.01, ("percent|%",))],
    "share": [("percent", 100.0, ("percent|%",))],
    "mg/dl": [("mmol/l", 1 / 18.016, ("mmol",))],
    "years": [("months", 12.0, ("month",))],
}


def _unit(sides: Sides) -> list[Truth]:
    """A client sends another unit."""
    units = {n: CONVERSIONS[u] for n, u in sides.data.units.items() if u in CONVERSIONS}
    name = sides.pick([n for n in units if n in sides.data.numbers])
    to, factor, words = units[name][int(sides.rng.integers(len(units[name])))]
    return [_scaled(sides, name, factor, f"{name} in {to}", words)]


def _thousand(sides: Sides) -> list[Truth]:
    """Someone divides or multiplies by a power of ten that no unit explains."""
    name = sides.pick(sides.data.numbers)
    factor = float(sides.rng.choice([1000.0, 0.001, 10.0, 0.1, 100.0]))
    return [_scaled(sides, name, factor, f"{name} times {factor:g}", ())]


def _celsius(sides: Sides) -> list[Truth]:
    name = sides.pick([n for n, unit in sides.data.units.items() if unit == "fahrenheit"])
    rows = sides.change(name, (sides.online[name] - 32) / 1.8)
    return [_in_celsius(sides, name, rows)]


def _in_celsius(sides: Sides, name: str, rows: int) -> Truth:
    claims = (Claim(words=("celsius|°C", "fahrenheit|°F")), Claim(numbers=(1.8, 32.0)))
    return Truth(
        f"{name} in degrees Celsius", (name,), ("unit change",), claims, vague(sides), rows=rows
    )


def _round_truth(sides: Sides, name: str, digits: int, rows: int) -> Truth:
    claims = (
        Claim(words=(rf"\b({digits}|{_WORDS[digits]}) (decimal|digit)",)),
        Claim(words=("whole|integer",))
        if digits == 0
        else Claim(words=("decimal",), numbers=(digits,)),
        Claim(words=("round|nearest|multiple|step|decimal",), numbers=(10.0**-digits,)),
    )
    return Truth(
        f"{name} rounded to {digits} decimals",
        (name,),
        ("rounding",),
        claims,
        vague(sides),
        rows=rows,
    )


_WORDS = ["no", "one", "two", "three", "four", "five", "six"]


def _rounded(sides: Sides) -> list[Truth]:
    name = sides.pick(_precise(sides, 1))
    most = int(_decimals(sides.online[name].dropna()).quantile(0.7))
    digits = int(sides.rng.integers(0, max(min(most, 4), 1)))
    rows = sides.change(name, sides.online[name].round(digits))
    return [_round_truth(sides, name, digits, rows)]


def _significant(sides: Sides) -> list[Truth]:
    """A number printed with ``%.3g`` on its way."""
    name = sides.pick(sides.data.numbers)
    digits = int(sides.rng.integers(2, 5))
    values = sides.online[name].map(lambda v: float(f"{v:.{digits}g}"))
    rows = sides.change(name, values)
    claims = (
        Claim(words=(rf"\b({digits}|{_WORDS[digits]}) (significant|digit)",)),
        Claim(words=("significant|digit",), numbers=(digits,)),
        Claim(words=("digit|decimal|round",)),
    )
    what = f"{name} in {digits} significant digits"
    return [Truth(what, (name,), ("rounding",), claims, vague(sides), rows=rows)]


def _cut(sides: Sides) -> list[Truth]:
    """``int()`` or a cut decimal."""
    name = sides.pick(_precise(sides, 0))
    digits = int(sides.rng.integers(0, 2))
    unit = 10.0**-digits
    values = np.trunc((sides.online[name] / unit).round(6)) * unit  # 0.3 / 0.1 is 2.9999
    rows = sides.change(name, values.round(digits))
    claims = (Claim(words=("trunc|cut|dropped|floor|toward|down|whole|decimal",)),)
    what = f"{name} cut to {digits} decimals"
    return [Truth(what, (name,), ("truncation",), claims, vague(sides), rows=rows)]


def _cut_text(sides: Sides) -> list[Truth]:
    """A column of the database is too short for its labels."""
    names = [n for n in sides.data.texts if sides.online[n].str.len().quantile(0.7) > 4]
    name = sides.pick(names)
    length = int(sides.rng.integers(3, 6))
    rows = sides.change(name, sides.online[name].str[:length])
    claims = (Claim(words=("trunc|cut|first|prefix|short",)),)
    right = ("truncation",)
    return [
        Truth(
            f"{name} cut to {length} letters",
            (name,),
            right,
            claims,
            ("unknown category", *vague(sides)),
            rows=rows,
        )
    ]


def _float32(sides: Sides) -> list[Truth]:
    name = sides.pick(_precise(sides, 0))
    values = sides.online[name].astype(np.float32).astype(float)
    rows = sides.change(name, values)
    return [Truth(f"{name} as a 32-bit float", (name,), ("float32",), (), vague(sides), rows=rows)]


def _comma_lost(sides: Sides) -> list[Truth]:
    """``12,5`` is read as 125: the comma is taken for a separator of thousands."""
    name = sides.pick(_precise(sides, 0))
    rows = sides.change(name, _without_comma(sides.online[name]))
    return [_comma_truth(sides, name, rows)]


def _without_comma(values: pd.Series) -> pd.Series:
    return values * 10.0 ** _decimals(values.fillna(0))


def _comma_truth(sides: Sides, name: str, rows: int) -> Truth:
    claims = (Claim(words=("comma|decimal (sign|point|separator)|separator",)),)
    return Truth(
        f"the decimal comma of {name} is lost",
        (name,),
        ("locale",),
        claims,
        vague(sides),
        never=(r"\b(10|100|1,000|1000) times",),
        rows=rows,
    )


def _thousands_cut(sides: Sides) -> list[Truth]:
    """``1.234`` is read as one and a bit: its separator is taken for a decimal sign."""
    frame = sides.online
    large = {n: (frame[n][sides.where] >= 1000).mean() for n in sides.data.numbers}
    name = sides.pick([n for n, share in large.items() if 0.1 < share < 0.9])
    values = frame[name]
    rows = sides.change(name, values.where(values < 1000, values / 1000))
    claims = (Claim(words=("thousand|separator|comma|1,000|1000",)),)
    what = f"the thousands separator of {name} is read as a decimal sign"
    return [Truth(what, (name,), ("locale",), claims, vague(sides), rows=rows)]


def _comma_null(sides: Sides) -> list[Truth]:
    """What has a decimal comma cannot be read and becomes null; whole numbers pass."""
    frame = sides.online
    names = [n for n in sides.data.numbers if sides.data.frame[n].isna().mean() > 0.01]
    names = [n for n in names if 0.2 < (frame[n].dropna() % 1 != 0).mean() < 0.95]
    name = sides.pick(names)
    rows = sides.change(name, frame[name].where(frame[name] % 1 == 0))
    claims = (Claim(words=("decimal|fraction|whole|comma",)),)
    what = f"{name} is null where it has decimals"
    return [
        Truth(what, (name,), ("locale",), claims, ("missing feature", *vague(sides)), rows=rows)
    ]


def _zone_online(sides: Sides) -> list[Truth]:
    """A client sends its local time as if it were UTC."""
    zone = str(
        sides.rng.choice(["America/New_York", "Europe/Berlin", "Asia/Tokyo", "Asia/Kolkata"])
    )
    return [local_time(sides, zone)]


def _clocks(times: pd.Series, one: str, other: str) -> Any:
    """Return the clocks that may be named: one, the other, and as far apart as they are."""
    at = pd.DatetimeIndex(times[:: max(len(times) // 100, 1)])
    here, there = offsets(at, one), offsets(at, other)
    return at, (here, there, here - there, there - here)


def local_time(sides: Sides, zone: str) -> Truth:
    """Send the clock of a zone as UTC."""
    sides.pick(["at"])
    at = sides.online["at"]
    local = at.dt.tz_convert(zone).dt.tz_localize(None).dt.tz_localize("UTC")
    rows = sides.change("at", local)
    offsets = ((local - at).dt.total_seconds() / 60)[sides.where].unique()
    claims = tuple(Claim(minutes=abs(float(minutes))) for minutes in offsets)
    return Truth(
        f"the local time of {zone} is sent as UTC",
        ("at",),
        ("time zone",),
        (*claims, Claim(words=(zone,))),
        ("constant offset", *vague(sides)),
        rows=rows,
        zones=_clocks(at, zone, "UTC"),
    )


def _zone_code(sides: Sides) -> list[Truth]:
    """The serving code reads another clock: the machine's zone."""
    zone = str(sides.rng.choice(["UTC", "Europe/London", "America/Los_Angeles"]))
    sides.pick(["at"])
    sides.spoil, trained = other_zone(sides.data, zone)
    right = ("time zone",)
    claims = (Claim(words=(r"\bhours?\b|zone|UTC",)),)
    what = f"the code reads the clock of {zone} instead of {trained}"
    clocks = _clocks(sides.online["at"], zone, trained)
    return [Truth(what, ("at",), right, claims, rows=len(sides.online), zones=clocks)]


def _day_month(sides: Sides) -> list[Truth]:
    """``03/04`` is read the other way round, where both readings are dates."""
    sides.pick(["at"])
    at = sides.online["at"]
    both = (at.dt.day <= 12) & (at.dt.day != at.dt.month)
    swapped = [
        t.replace(day=t.month, month=t.day) if ok else t for t, ok in zip(at, both, strict=True)
    ]
    rows = sides.change("at", pd.Series(pd.to_datetime(swapped, utc=True)).astype(at.dtype))
    return [
        Truth("day and month are exchanged", ("at",), ("date format",), (), vague(sides), rows=rows)
    ]


FORMS: list[tuple[str, Callable[[str], str]]] = [
    ("upper case", str.upper),
    ("lower case", str.lower),
    ("a blank at the end", lambda s: f"{s} "),
    ("underscores", lambda s: s.replace(" ", "_").replace(",", "")),
    ("another Unicode form", lambda s: unicodedata.normalize("NFD", s)),
    ("capitals", str.title),
]


def _form(sides: Sides) -> list[Truth]:
    name = sides.pick(sides.data.texts)
    for at in sides.rng.permutation(len(FORMS)):
        what, change = FORMS[int(at)]
        if (sides.online[name].map(change) != sides.online[name])[sides.where].sum() >= 20:
            break
    rows = sides.change(name, sides.online[name].map(change))
    return [
        Truth(
            f"{name} in {what}",
            (name,),
            ("category form",),
            (),
            ("unknown category", *vague(sides)),
            rows=rows,
        )
    ]


def _new_label(sides: Sides) -> list[Truth]:
    """A label is renamed in the product, and the model has never heard of it."""
    name = sides.pick(sides.data.texts)
    counts = sides.online.loc[sides.where, name].value_counts()
    label = str(sides.rng.choice(counts.index[: max(len(counts) // 2, 1)]))
    new = str(sides.rng.choice(["N/A", f"{label[:2]}-2025", "other (please specify)", "zz-9"]))
    rows = sides.change(name, sides.online[name].replace(label, new))
    claims = (Claim(words=("never|not (known|seen|in)|unknown|unseen|training",)),)
    return [
        Truth(
            f"{name} {label} is renamed {new}",
            (name,),
            ("unknown category",),
            claims,
            vague(sides),
            rows=rows,
        )
    ]


def _with_nulls(sides: Sides) -> list[str]:
    frame = sides.online
    return [n for n in sides.data.numbers if (frame[n].isna() & sides.where).sum() >= 20]


def _filled(sides: Sides) -> list[Truth]:
    """Nulls are filled in with a constant before the model sees them."""
    name = sides.pick(_with_nulls(sides))
    trained = sides.data.frame[name].iloc[: sides.data.half]
    kinds = {"mean": trained.mean(), "median": trained.median(), "zero": 0.0, "-999": -999.0}
    kind = str(sides.rng.choice(list(kinds)))
    value = float(kinds[kind])
    rows = sides.change(name, sides.online[name].fillna(value))
    claims = (
        Claim(words=("null|missing|fill|imput",), numbers=(value,)),
        Claim(words=(kind, "null|fill")),
    )
    never = ("null on the online side", r"find out why the offline side lacks")
    return [
        Truth(
            f"nulls of {name} are filled with the {kind}, {value:g}",
            (name,),
            ("imputation",),
            claims,
            vague(sides),
            never,
            rows=rows,
        )
    ]


def _other_imputer(sides: Sides) -> list[Truth]:
    spoil, columns = other_fill(sides.data, sides.rng)
    sides.spoil = spoil
    right = ("imputation",)
    return [
        Truth(
            "the imputer was fitted with another strategy", columns, right, rows=len(sides.online)
        )
    ]


def _missing(sides: Sides) -> list[Truth]:
    """A feature store times out; null, or a default, stands in."""
    data = sides.data
    nullable = [n for n in data.numbers if data.frame[n].isna().mean() > 0.01]
    if nullable and sides.rng.random() < 0.5:
        name, value = sides.pick(nullable), np.nan
    else:
        name, value = sides.pick(data.numbers), float(sides.rng.choice([0.0, -1.0, -999.0]))
    rows = sides.change(name, pd.Series(value, index=sides.online.index))
    said = "null|missing" if np.isnan(value) else f"{value:g}".replace("-", MINUS)
    claims = (Claim(words=(said,)),)
    return [
        Truth(
            f"{name} is {value:g}", (name,), ("missing feature",), claims, vague(sides), rows=rows
        )
    ]


def _codes(sides: Sides) -> list[Truth]:
    """A questionnaire numbers its answers the other way round."""
    data, frame = sides.data, sides.online
    name = sides.pick([n for n in data.codes if 3 <= frame[n].nunique() <= 9])
    codes = np.sort(frame[name].dropna().unique())
    order = codes[::-1] if sides.rng.random() < 0.5 else np.roll(codes, 1)
    rows = sides.change(name, frame[name].map(dict(zip(codes, order, strict=True))))
    right = ("category code order",)
    return [
        Truth(
            f"the codes of {name} are in another order", (name,), right, (), vague(sides), rows=rows
        )
    ]


def _two_labels(sides: Sides) -> list[Truth]:
    """Two labels are exchanged in a mapping."""
    name = sides.pick(sides.data.texts)
    counts = sides.online.loc[sides.where, name].value_counts()
    if len(counts) < 2 or counts.iloc[1] < 15:
        raise NotApplicable
    one, two = map(str, counts.index[:2])
    rows = sides.change(name, sides.online[name].replace({one: two, two: one}))
    claims = (Claim(words=("exchang|swap|other (order|way)|each other|one to one|order",)),)
    right = ("category code order",)
    return [
        Truth(
            f"{name} {one} and {two} are exchanged", (name,), right, claims, vague(sides), rows=rows
        )
    ]


def _encoder_order(sides: Sides) -> list[Truth]:
    """The vocabulary of the encoder was built again, in another order."""
    spoil, columns = reordered(sides.data, sides.rng)
    sides.spoil = spoil
    right = ("category code order", "column order")
    return [
        Truth("the encoder's labels are in another order", columns, right, rows=len(sides.online))
    ]


def _columns_swapped(sides: Sides) -> list[Truth]:
    one = sides.pick(sides.data.numbers)
    two = sides.pick(sides.data.numbers)
    frame = sides.online.copy()
    rows = sides.change(one, frame[two])
    sides.change(two, frame[one])
    claims = (Claim(words=(one, two)),)
    return [
        Truth(
            f"{one} and {two} are exchanged",
            (one, two),
            ("column order",),
            claims,
            vague(sides),
            rows=rows,
        )
    ]


def _columns_cycle(sides: Sides) -> list[Truth]:
    """A header has moved by one over three columns."""
    names = [sides.pick(sides.data.numbers) for _ in range(3)]
    frame = sides.online.copy()
    rows = [sides.change(a, frame[b]) for a, b in zip(names, names[1:] + names[:1], strict=True)]
    claims = (Claim(words=tuple(names)),)
    return [
        Truth(
            f"{', '.join(names)} have moved by one",
            tuple(names),
            ("column order",),
            claims,
            vague(sides),
            rows=max(rows),
        )
    ]


def _offset(sides: Sides) -> list[Truth]:
    """A sensor is calibrated anew: it is off by the same amount everywhere."""
    name = sides.pick(sides.data.numbers)
    size = float(sides.online[name].std())
    by = float(f"{sides.rng.choice([-1, 1]) * size * sides.rng.uniform(0.1, 1.0):.2g}")
    rows = sides.change(name, sides.online[name] + by)
    right = ("constant offset",)
    return [
        Truth(
            f"{name} is off by {by:g}",
            (name,),
            right,
            (Claim(numbers=(by,)),),
            vague(sides),
            rows=rows,
        )
    ]


def _old_scaler(sides: Sides) -> list[Truth]:
    spoil, columns = other_scaler(sides.data)
    sides.spoil = spoil
    right = ("stale scaler statistics",)
    return [Truth("the scaler was fitted on other rows", columns, right, rows=len(sides.online))]


def _previous(sides: Sides) -> list[Truth]:
    """A cache answers with the value of the entity's request before."""
    if (sides.online.groupby("id").size() < 3).mean() > 0.5:
        raise NotApplicable
    name = sides.pick(sides.data.numbers)
    before = sides.online.groupby("id")[name].shift(1)
    rows = sides.change(name, before.where(before.notna(), sides.online[name]))
    return [
        Truth(
            f"{name} is that of the request before",
            (name,),
            ("stale data",),
            (),
            vague(sides),
            rows=rows,
        )
    ]


def _from_later(sides: Sides) -> list[Truth]:
    """The table was made later, and has values that came after the prediction."""
    name = sides.pick(sides.data.numbers)
    at = sides.online["at"]
    later = sides.online.groupby("id")[name].shift(-1)
    values = later.where(later.notna(), sides.online[name])
    rows = sides.change(name, values, offline=True)
    moved = sides.where & ~values.eq(sides.online[name]).to_numpy()
    sides.known = at.where(~moved, at + pd.Timedelta(days=2)) - pd.Timedelta(minutes=5)
    right = ("temporal leakage",)
    return [
        Truth(
            f"{name} of the table is that of the entity's next row",
            (name,),
            right,
            (),
            ("stale data",),
            rows=rows,
        )
    ]


def _mixed_first_columns(sides: Sides) -> None:
    """Is the type that the step takes from its first column a matter of the rows at hand?

    Raises:
        NotApplicable: all its values are whole, so that every batch gives the same type.
    """
    for step, names in parts(sides.data.build()):
        if isinstance(step, Numbers):
            values = sides.online[names[0]].dropna()
            if (values % 1 == 0).mean() > 0.98:
                raise NotApplicable


def _code(kind: str, right: str, what: str) -> Callable[[Sides], list[Truth]]:
    def put(sides: Sides) -> list[Truth]:
        if kind == "dtype":
            _mixed_first_columns(sides)
        sides.code = kind
        sides.alone = kind == "dtype"
        return [Truth(what, (ANY,), (right,), rows=len(sides.online))]

    return put


def _other_version(sides: Sides) -> list[Truth]:
    """The offline predictions were made by the version that was trained later."""
    sides.other = True
    right = ("another version", "another version, seed")
    fitted = ("imputation", "stale scaler statistics", "category code order", "column order")
    what = "the table has another version's answers"
    return [Truth(what, (ANY,), right, vague=fitted, rows=len(sides.online))]


def _last_bits(sides: Sides) -> list[Truth]:
    sides.exact, sides.noise = True, 3e-16
    return [
        Truth(
            "the answers differ in their last bits",
            (ANY,),
            ("float noise",),
            rows=len(sides.online),
        )
    ]


def _scrambled(sides: Sides) -> list[Truth]:
    """In one segment a column is garbage."""
    name = sides.pick(sides.data.numbers)
    values = sides.online[name].dropna().to_numpy()
    drawn = sides.rng.choice(values, len(sides.online)) * sides.rng.uniform(
        0.5, 1.5, len(sides.online)
    )
    rows = sides.change(name, pd.Series(drawn.round(4)))
    assert sides.segment is not None
    claims = (Claim(words=(str(sides.segment[1]),)),)
    return [
        Truth(
            f"{name} is garbage where {sides.segment}",
            (name,),
            ("segment-local skew",),
            claims,
            rows=rows,
        )
    ]


def _feedback(sides: Sides) -> list[Truth]:
    """A running total takes in what the model itself said before."""
    if (sides.online.groupby("id").size() < 3).mean() > 0.5:
        raise NotApplicable
    name = sides.pick(sides.data.numbers)
    sides.feedback = (name, float(np.nanstd(sides.online[name]) * 0.1))
    return [
        Truth(
            f"{name} takes in the model's answers",
            (name,),
            ("feedback loop",),
            rows=len(sides.online),
        )
    ]


# Two faults on one column: each part must be said.


def _celsius_rounded(sides: Sides) -> list[Truth]:
    name = sides.pick([n for n, unit in sides.data.units.items() if unit == "fahrenheit"])
    digits = int(sides.rng.integers(0, 2))
    rows = sides.change(name, ((sides.online[name] - 32) / 1.8).round(digits))
    return [_in_celsius(sides, name, rows), _round_truth(sides, name, digits, rows)]


def _unit_rounded(sides: Sides) -> list[Truth]:
    units = {n: CONVERSIONS[u] for n, u in sides.data.units.items() if u in CONVERSIONS}
    name = sides.pick([n for n in units if n in sides.data.numbers])
    to, factor, words = units[name][0]
    values = sides.online[name] * factor
    size = float(values.abs().median())
    digits = int(np.clip(2 - np.floor(np.log10(size or 1.0)), 0, 4))
    if np.allclose(values.dropna(), values.dropna().round(digits)):
        raise NotApplicable
    truth = _scaled(sides, name, factor, f"{name} in {to}", words)
    sides.change(name, sides.online[name].round(digits))
    return [truth, _round_truth(sides, name, digits, truth.rows)]


def _comma_and_rounded(sides: Sides) -> list[Truth]:
    """Rounded to one decimal, then its comma is lost."""
    name = sides.pick(_precise(sides, 1))
    values = sides.online[name].round(1)
    rows = sides.change(name, _without_comma(values))
    return [_comma_truth(sides, name, rows), _round_truth(sides, name, 1, rows)]


def _unit_and_default(sides: Sides) -> list[Truth]:
    """Another unit, and 0 where the look-up failed."""
    units = {n: CONVERSIONS[u] for n, u in sides.data.units.items() if u in CONVERSIONS}
    name = sides.pick([n for n in units if n in sides.data.numbers])
    to, factor, words = units[name][0]
    truth = _scaled(sides, name, factor, f"{name} in {to}", words)
    failed = sides.rng.random(len(sides.online)) < 0.35
    rows = sides.change(name, sides.online[name].where(~failed, -1.0))
    other = Truth(
        f"{name} is -1 where the look-up failed",
        (name,),
        ("missing feature",),
        (Claim(words=(f"{MINUS}1",)),),
        rows=rows,
    )
    return [truth, other]


def _two_units(sides: Sides) -> list[Truth]:
    """One client sends one unit, another client another."""
    units = [n for n, u in sides.data.units.items() if u in CONVERSIONS]
    name = sides.pick([n for n in units if n in sides.data.numbers])
    _, factor, words = CONVERSIONS[sides.data.units[name]][0]
    sides.where = sides.client == "kiosk"
    one = _scaled(sides, name, factor, f"{name} of the kiosk times {factor:g}", words)
    sides.where = sides.client == "app"
    two = _scaled(sides, name, 1000.0, f"{name} of the app times 1,000", ())
    return [
        Truth(t.what, t.columns, t.causes, t.claims, ("segment-local skew",), rows=t.rows)
        for t in (one, two)
    ]


# Pairs on two columns.


def _pair(one: Callable[[Sides], list[Truth]], two: Callable[[Sides], list[Truth]]) -> Any:
    def put(sides: Sides) -> list[Truth]:
        return [*one(sides), *two(sides)]

    return put


HALF = ("whole", "share", "since", "segment")

INSIDE = [
    Fault("unit", True, _unit),
    Fault("power of ten", True, _thousand),
    Fault("celsius", True, _celsius),
    Fault("rounded", True, _rounded),
    Fault("significant digits", True, _significant),
    Fault("cut number", True, _cut),
    Fault("cut text", True, _cut_text),
    Fault("float32", True, _float32),
    Fault("comma lost", True, _comma_lost),
    Fault("thousands separator", True, _thousands_cut),
    Fault("decimals null", True, _comma_null),
    Fault("local time as UTC", True, _zone_online),
    Fault("zone of the code", True, _zone_code, ("whole",)),
    Fault("day and month", True, _day_month),
    Fault("label form", True, _form),
    Fault("label renamed", True, _new_label, ("whole", "since", "client")),
    Fault("nulls filled", True, _filled, ("whole", "since", "client")),
    Fault("other imputer", True, _other_imputer, ("whole",)),
    Fault("look-up fails", True, _missing),
    Fault("codes in another order", True, _codes),
    Fault("two labels exchanged", True, _two_labels, ("whole", "since", "client")),
    Fault("encoder order", True, _encoder_order, ("whole",)),
    Fault("two columns exchanged", True, _columns_swapped),
    Fault("three columns moved", True, _columns_cycle, ("whole", "since", "client")),
    Fault("offset", True, _offset),
    Fault("old scaler", True, _old_scaler, ("whole",)),
    Fault("request before", True, _previous, ("whole", "share", "since")),
    Fault("known later", True, _from_later, ("whole", "share")),
    Fault(
        "batch",
        True,
        _code("batch", "batch-dependent transform", "a mean of the batch"),
        ("whole",),
    ),
    Fault("draw", True, _code("draw", "nondeterminism", "an unseeded draw"), ("whole",)),
    Fault(
        "dtype of one row",
        True,
        _code("dtype", "single-row dtype inference", "a type from the rows at hand"),
        ("whole",),
    ),
    Fault("other version", True, _other_version, ("whole",)),
    Fault("last bits", True, _last_bits, ("whole",)),
    Fault("garbage", True, _scrambled, ("segment", "client")),
    Fault("own answers", True, _feedback, ("whole",)),
    Fault("celsius, rounded", True, _celsius_rounded, group="composed"),
    Fault("unit, rounded", True, _unit_rounded, group="composed"),
    Fault("comma lost, rounded", True, _comma_and_rounded, group="composed"),
    Fault("unit, look-up fails", True, _unit_and_default, ("whole", "since"), group="composed"),
    Fault("two clients' units", True, _two_units, ("client",), group="composed"),
    Fault("unit + rounded", True, _pair(_unit, _rounded), group="pair"),
    Fault("celsius + local time", True, _pair(_celsius, _zone_online), group="pair"),
    Fault("comma lost + look-up fails", True, _pair(_comma_lost, _missing), group="pair"),
    Fault("label form + offset", True, _pair(_form, _offset), group="pair"),
    Fault(
        "cut number + label renamed",
        True,
        _pair(_cut, _new_label),
        ("whole", "since", "client"),
        group="pair",
    ),
    Fault("unit + request before", True, _pair(_unit, _previous), ("whole", "share"), group="pair"),
]

FAULTS: dict[str, Fault] = {fault.name: fault for fault in (*INSIDE, *OUTSIDE)}
"""Every fault, those of the catalogue first."""
