"""Is what a diagnosis says right? By these rules, and no others.

A diagnosis is a list: the main one and those in ``also``. A fault has one or more parts (two units
in a row on one column are two parts). Every entry of the list that is ``confirmed`` or
``described`` is held against the parts of the column it blames, in this order:

* **false**: it blames a column that nothing was done to; or it has a confirmed cause that is
  neither a right name nor a vague one of any part, and its sentence is not the truth either; or it
  says "N times" where the factor is another one by more than 1%; or it names a zone whose clock is
  neither that of a side nor as far from UTC as the sides are apart; or it says "never above" (or
  below) a number and a row of that side is; or it says what the part lists as never true.
* **named**: its cause is a right name, and the sentence or the evidence has what must be said (a
  factor, an offset, a duration, a unit's name), where the fault has such a thing.
* **told**: its sentence or evidence makes one of the part's claims in full: every word (a list of
  synonyms) and every number within 1% (within the stated tolerance for the size of a noise). A
  confirmed entry with another name must make it in its sentence; numbers alone are no claim. So is
  a right name that is only described, with its number.
* **partly**: a right name without its number; a vague name, such as *segment-local skew* for a
  fault that is indeed only in that segment; or a description of the right column that makes none of
  the claims and nothing that is never true. The last are marked ``to read``: a person must, and the
  benchmark prints them.

The trial then counts once, as the first of these that fits:

* **wrong**: an entry is false. *Wrong and confirmed* if that entry's verdict is ``confirmed``.
* **right**: every part is named.
* **truthful**: every part is named or told.
* **half**: a part is named, told or partly told, and another, or the rest of it, is not.
* **unknown**: nothing is confirmed or described.

Two parts on one column may be said by one entry: where it names one part and tells the other, both
are named. In a control (nothing was done) any confirmed or described entry is a **false alarm**,
and answers that all agree are **right**. Where there is a fault and all answers agree, the trial is
counted apart, as there is nothing to say.

An entry is about a column if it is that feature, a step column with that name, or one made of it
(``carrier_AA`` of ``carrier``; the hour and the season of the event time). Words such as "half",
"twice" and "a hundredth" count as numbers. A factor may be said as its inverse.
"""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.skew.truth import ANY, Claim, Truth, offsets

__all__ = ["OUTCOMES", "Judgement", "judge", "minutes_in", "numbers_in"]

OUTCOMES = ("right", "truthful", "half", "unknown", "wrong", "false alarm", "no divergence")

FROM_TIME = (
    "hour",
    "weekday",
    "month",
    "minute",
    "hour_sin",
    "hour_cos",
    "day_sin",
    "day_cos",
)
"""Step columns that the pipelines make of the event time ``at``."""


class Diagnosed(Protocol):
    """What is read of :class:`gnomon.report.Diagnosis`."""

    verdict: Any
    column: str | None
    cause: str
    sentence: str
    evidence: tuple[str, ...]
    columns: tuple[str, ...]
    also: tuple[Any, ...]


@dataclass(frozen=True)
class Judgement:
    """How one trial counts, and why.

    Attributes:
        outcome: one of ``OUTCOMES``.
        confirmed: whether what is wrong was confirmed.
        named: how many parts were named.
        parts: how many there are.
        located: whether the column of the main entry is right, whatever it says.
        remarks: one for each entry that counts.
    """

    outcome: str
    confirmed: bool = False
    named: int = 0
    parts: int = 0
    located: bool = False
    remarks: tuple[str, ...] = ()


def judge(
    found: Diagnosed | None,
    truths: list[Truth],
    online: pd.DataFrame | None = None,
    offline: pd.DataFrame | None = None,
) -> Judgement:
    """Judge a diagnosis by what is true.

    Args:
        found: the diagnosis; None if no row diverged.
        truths: the parts of the fault; none in a control.
        online: the rows as they were requested, to check stated bounds.
        offline: the same rows as the table has them.
    """
    if found is None:
        return Judgement("no divergence" if truths else "right", parts=len(truths))
    entries = [found, *found.also]
    said = [entry for entry in entries if entry.verdict != "unknown"]
    located = any(_about(found, truth) for truth in truths)
    if not truths:
        return Judgement("false alarm" if said else "unknown", confirmed=bool(said))
    level = [0] * len(truths)
    false, confirmed, remarks = False, False, []
    for entry in said:
        held = [_held(entry, truth) if _about(entry, truth) else "elsewhere" for truth in truths]
        if not _bounds_hold(entry, online, offline):
            held = ["contradicted"] * len(truths)
        good = [(at, _LEVELS[how]) for at, how in enumerate(held) if how in _LEVELS]
        if not good or "contradicted" in held:
            false = True
            confirmed |= entry.verdict == "confirmed"
            remarks.append(f"false ({held[0] if len(held) == 1 else '/'.join(held)})")
            continue
        if "named" in held:  # one sentence for both parts
            good = [(at, 3 if held[at] == "told" else worth) for at, worth in good]
        remarks.append("/".join(held))
        for at, worth in good:
            level[at] = max(level[at], worth)
    named = sum(worth == 3 for worth in level)
    if false:
        outcome = "wrong"
    elif min(level) == 3:
        outcome = "right"
    elif min(level) == 2:
        outcome = "truthful"
    else:
        outcome = "half" if max(level) else "unknown"
    return Judgement(outcome, confirmed, named, len(truths), located, tuple(remarks))


_LEVELS = {"named": 3, "told": 2, "partly": 1, "to read": 1}


def _held(entry: Diagnosed, truth: Truth) -> str:
    """Hold one entry against one part of the fault, on a column that is right."""
    text = " ".join([entry.sentence, *entry.evidence, *entry.columns])
    if any(re.search(pattern, entry.sentence, re.I) for pattern in truth.never):
        return "contradicted"
    names = {entry.cause, *re.split(r"\s*(?:\+|,|\band\b|\bwith\b)\s*", entry.cause)}
    is_right = entry.verdict == "confirmed" and not names.isdisjoint(truth.causes)
    if is_right and _other_factor(entry.sentence, truth.factor):
        return "contradicted"
    if truth.zones and not _zones_fit(entry.sentence, *truth.zones):
        return "contradicted"
    if is_right:
        complete = any(_makes(text, claim) for claim in truth.claims)
        return "named" if complete or not truth.claims else "partly"
    if entry.verdict == "described" and not names.isdisjoint(truth.causes):
        complete = any(_makes(text, claim) for claim in truth.claims)
        return "told" if complete or not truth.claims else "partly"
    if "segment-local skew" in names:  # says where, whatever words it says it in
        return "partly" if "segment-local skew" in truth.vague else "other cause"
    # Confirmed by another name: what counts is the finding itself, not what else was seen.
    text = entry.sentence if entry.verdict == "confirmed" else f"{entry.cause}: {text}"
    sayings = [claim for claim in truth.claims if claim.words or claim.minutes is not None]
    if any(_makes(text, claim) for claim in sayings):
        return "told"
    if not names.isdisjoint(truth.vague):
        return "partly"
    return "other cause" if entry.verdict == "confirmed" else "to read"


def _about(entry: Diagnosed, truth: Truth) -> bool:
    """Is the column that an entry blames one of those that are at fault?"""
    if ANY in truth.columns:
        return True
    blamed = [entry.column, *entry.columns]
    return any(_same(name, column) for name in blamed if name for column in truth.columns)


def _same(name: str, column: str) -> bool:
    last = name.rpartition("/")[2].rpartition("__")[2]
    if column == "at" and last in FROM_TIME:
        return True
    return last == column or (last.startswith(f"{column}_") and "/" in name)


def _makes(text: str, claim: Claim) -> bool:
    if not all(re.search(word, text, re.I) for word in claim.words):
        return False
    if claim.minutes is not None and not any(
        abs(abs(said) - claim.minutes) <= 0.01 * claim.minutes for said in minutes_in(text)
    ):
        return False
    said = numbers_in(text)
    return all(_said(number, said, claim.tolerance) for number in claim.numbers)


def _said(number: float, said: list[float], tolerance: float) -> bool:
    for candidate in (number, -number, 1 / number if number else number):
        room = tolerance * abs(candidate) + 1e-12
        if any(abs(one - candidate) <= room for one in said):
            return True
    return False


_WORDS = {
    "half": 0.5,
    "twice": 2.0,
    "double": 2.0,
    "tenth": 0.1,
    "hundredth": 0.01,
    "thousandth": 0.001,
    "zero": 0.0,
    "one": 1.0,
    "two": 2.0,
    "three": 3.0,
}

_MINUS = "\N{MINUS SIGN}"

_NUMBER = rf"[-+{_MINUS}]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"


def numbers_in(text: str) -> list[float]:
    """Return every number that is said, ``1,000`` as a thousand; and words such as "half"."""
    found = []
    for match in re.finditer(_NUMBER, text, re.I):
        plain = match.group().replace(_MINUS, "-").replace(",", "").rstrip(".")
        found.append(float(plain))
    words = re.findall(r"[a-z]+", text.lower())
    return found + [_WORDS[word] for word in words if word in _WORDS]


_UNITS = {"second": 1 / 60, "minute": 1.0, "hour": 60.0, "day": 1440.0, "week": 10080.0}


def minutes_in(text: str) -> list[float]:
    """Return every duration that is said, in minutes: ``9 hours 30 minutes``, ``9.5 hours``."""
    found = []
    number = r"(\d[\d,]*(?:\.\d+)?|an?|one|half an)"
    part = number + r"[ -](second|minute|hour|day|week)s?"
    for match in re.finditer(rf"{part}(?:(?: and |, | ){part})?", text, re.I):
        first, unit, second, smaller = match.groups()
        parts = [_amount(first) * _UNITS[unit.lower()]]
        if second:
            parts.append(_amount(second) * _UNITS[smaller.lower()])
        found += [*parts, sum(parts)]
    for match in re.finditer(r"(?<![\d:])(\d{1,2}):(\d{2})(?::\d{2})?(?!\d)", text):
        found.append(int(match[1]) * 60.0 + int(match[2]))
    return found


def _amount(said: str) -> float:
    plain = said.lower().replace(",", "")
    return {"a": 1.0, "an": 1.0, "one": 1.0, "half an": 0.5}.get(plain) or float(plain)


def _bounds_hold(
    entry: Diagnosed, online: pd.DataFrame | None, offline: pd.DataFrame | None
) -> bool:
    """Is "never above 85" true of the side it is said of?"""
    if online is None or offline is None or entry.column not in online:
        return True
    sides = {"online": online, "offline": offline}
    before = rf"\b(online|offline)\b[^.;,]*?never (above|below) ({_NUMBER})"
    after = rf"never (above|below) ({_NUMBER}) (?:on the )?(online|offline)"
    found = [(m[1], m[2], m[3]) for m in re.finditer(before, entry.sentence, re.I)]
    found += [(m[3], m[1], m[2]) for m in re.finditer(after, entry.sentence, re.I)]
    for side, way, number in found:
        bound = numbers_in(number)[0]
        values = sides[side.lower()][entry.column]
        room = 1e-6 * abs(bound)  # it may be printed in fewer digits
        if (
            (values > bound + room).any()
            if way.lower() == "above"
            else (values < bound - room).any()
        ):
            return False
    return True


def _zones_fit(
    sentence: str, times: pd.DatetimeIndex, allowed: tuple[npt.NDArray[np.float64], ...]
) -> bool:
    """Has every zone that is named one of these offsets, at nine of ten times?"""
    for zone in re.findall(r"\b[A-Z]\w+/[A-Z]\w+(?:/[A-Z]\w+)?", sentence):
        if zone not in zoneinfo.available_timezones():
            continue
        found = offsets(times, zone)
        if not any(np.isclose(found, right).mean() >= 0.9 for right in allowed):
            return False
    return True


def _other_factor(sentence: str, factor: float | None) -> bool:
    """Does the sentence say "N times", and is N neither the factor nor its inverse?"""
    if factor is None:
        return False
    said = [
        float(match.replace(",", "").replace(_MINUS, "-"))
        for match in re.findall(rf"({_NUMBER}) times", sentence)
    ]
    return bool(said) and not any(
        np.isclose(one, right, rtol=0.01) for one in said for right in (factor, 1 / factor)
    )
