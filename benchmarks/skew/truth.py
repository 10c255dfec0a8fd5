"""What was done to the rows of a trial, and what a true sentence about it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.skew.datasets import DataSet

__all__ = [
    "ANY",
    "SCOPES",
    "Claim",
    "Fault",
    "NotApplicable",
    "Sides",
    "Truth",
    "offsets",
    "scope_of",
]

Mask = npt.NDArray[np.bool_]

Offsets = npt.NDArray[np.float64]

ANY = "*"
"""A column name that stands for every column: the fault is in the code or the artifact."""

SCOPES = ("whole", "segment", "since", "share", "client")
"""On which rows: all, those with one label, those from a time on, a drawn share, one client's."""


class NotApplicable(Exception):
    """The data set has no column, or no rows, for this fault."""


@dataclass(frozen=True)
class Claim:
    """One way of telling the truth.

    Attributes:
        words: regular expressions, all of which must be found.
        numbers: all of which must be said, within ``tolerance``; a factor may be said as its
            inverse, and a difference with either sign.
        minutes: a duration that must be said, in whatever unit.
    """

    words: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    minutes: float | None = None
    tolerance: float = 0.01


@dataclass(frozen=True)
class Truth:
    """One fault, as a judge must know it.

    Attributes:
        what: was done, in a sentence.
        columns: any of which may be blamed.
        causes: names of the catalogue that are right.
        claims: any of which makes a sentence truthful; with a right name, one of them makes the
            answer complete. Empty: the name is enough.
        vague: names that are true of it but say less.
        never: regular expressions that would be false.
        factor: what "N times" may say, itself or its inverse; None if it is not a matter of a
            factor.
        rows: on which anything was changed.
        zones: if it is a matter of clocks: some times, and the offsets from UTC in minutes that a
            zone may have at these if a sentence names it.
    """

    what: str
    columns: tuple[str, ...]
    causes: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    vague: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    factor: float | None = None
    rows: int = 0
    zones: tuple[pd.DatetimeIndex, tuple[Offsets, ...]] | None = None


@dataclass
class Sides:
    """The rows of one trial on both sides, before they are run.

    Attributes:
        data: what they come from.
        rng: of all draws.
        online: as they were requested.
        offline: as the table has them.
        client: who sent each row.
        scope: on which rows a fault may be.
        segment: the column and value of that scope, or the client.
        spoil: what to change in the fitted pipeline that serves, if anything.
        code: a fault of the serving code, see ``Numbers``.
        known: when each value of the table was known, if it says so.
        other: the offline answers are of another version.
        exact: the policy allows no difference.
        noise: a relative error of the offline answers.
        alone: requests come one by one.
        stored: columns of the table that were stored in another form than they were used in.
        feedback: the column that takes in earlier answers, and how much of them.
    """

    data: DataSet
    rng: np.random.Generator
    online: pd.DataFrame
    offline: pd.DataFrame
    client: npt.NDArray[np.str_]
    scope: str = "whole"
    where: Mask = field(default_factory=lambda: np.zeros(0, dtype=bool))
    segment: tuple[str, str] | None = None
    spoil: Callable[[object], None] | None = None
    code: str = ""
    known: pd.Series | None = None
    other: bool = False
    exact: bool = False
    noise: float = 0.0
    feedback: tuple[str, float] | None = None
    alone: bool = False
    stored: dict[str, pd.Series] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def pick(self, names: list[str]) -> str:
        """Draw one of these columns that nothing was done to yet.

        Raises:
            NotApplicable: there is none.
        """
        left = [name for name in names if name not in self.taken]
        if not left:
            raise NotApplicable
        name = str(self.rng.choice(left))
        self.taken.add(name)
        return name

    def change(self, name: str, values: object, *, offline: bool = False) -> int:
        """Set a column of one side in the rows of the scope; return how many changed.

        Raises:
            NotApplicable: fewer than 20 rows would change.
        """
        side = self.offline if offline else self.online
        before = side[name]
        new = pd.Series(values, index=before.index).where(pd.Series(self.where), before)
        changed = ~((new == before) | (new.isna() & before.isna()))
        if int(changed.sum()) < 20:
            raise NotApplicable
        side[name] = new.astype(before.dtype)
        return int(changed.sum())


@dataclass(frozen=True)
class Fault:
    """A fault that can be put into any data set that has the columns for it.

    Attributes:
        inside: its name is in the catalogue of ``docs/diagnose.md``.
        put: does it, and says what is true now; one truth for each part of it.
        scopes: where it can be.
        group: how the table counts it: ``one``, ``composed`` (two on one column) or ``pair``.
    """

    name: str
    inside: bool
    put: Callable[[Sides], list[Truth]]
    scopes: tuple[str, ...] = SCOPES
    group: str = "one"


def offsets(times: pd.Series | pd.DatetimeIndex, zone: str) -> Offsets:
    """Return the minutes by which a zone is ahead of UTC at each time."""
    at = pd.DatetimeIndex(times)
    local = at.tz_convert(zone).tz_localize(None)
    return np.asarray((local - at.tz_convert("UTC").tz_localize(None)).total_seconds()) / 60


def scope_of(sides: Sides, scope: str) -> Sides:
    """Draw the rows of a scope.

    Raises:
        NotApplicable: the data has no label to make a segment of.
    """
    n, rng = len(sides.online), sides.rng
    segment = None
    if scope == "whole":
        where = np.ones(n, dtype=bool)
    elif scope == "since":
        where = np.arange(n) >= int(n * rng.uniform(0.3, 0.7))
    elif scope == "share":
        where = rng.random(n) < rng.uniform(0.2, 0.5)
    elif scope == "client":
        segment = ("client_id", str(rng.choice(["web", "app", "kiosk"])))
        where = sides.client == segment[1]
    else:
        choices = [
            (name, value)
            for name in sides.data.texts
            for value, share in sides.online[name].value_counts(normalize=True).items()
            if 0.08 <= share <= 0.6
        ]
        if not choices:
            raise NotApplicable
        segment = choices[int(rng.integers(len(choices)))]
        where = (sides.online[segment[0]] == segment[1]).to_numpy(dtype=bool)
        sides.taken.add(segment[0])
    return replace(sides, scope=scope, where=where, segment=segment)
