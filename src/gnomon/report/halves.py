"""Which half of another artifact makes the difference: its preprocessing or its model."""

from __future__ import annotations

from typing import Literal

import msgspec

from gnomon import quantities

__all__ = ["HalfEffect", "Halves", "which_half"]


class HalfEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What changes if one half alone is the other artifact's.

    Attributes:
        artifact: the tag of the combined artifact that answered.
        alone: rows that differ with this half alone, and not with the other half alone.
        mean_change: the mean of each row's largest absolute difference, over all rows that differ
            with both halves; None if no number differs.
        unanswered: rows that it refused or failed on; they count as differing.
    """

    artifact: str
    alone: int
    mean_change: float | None = None
    unanswered: int = 0


class Halves(msgspec.Struct, frozen=True, kw_only=True):
    """The rows on which two artifacts differ, by what differs with one half exchanged.

    ``differ = preprocessing.alone + model.alone + either + together``.

    Attributes:
        makes: the half whose exchange alone explains 99% of the differing rows; ``both`` if neither
            does, ``none`` if no row differs, ``few`` if fewer differ than could show a pattern.
        preprocessing: the model of the first artifact on the preprocessing of the other.
        model: the model of the other artifact on the preprocessing of the first.
        differ: rows on which the two artifacts differ.
        either: of these, those that differ with each half alone.
        together: of these, those that differ only with both halves: they interact.
        cancelled: rows on which the two artifacts agree, although one half alone differs.
        unstable: rows not counted above, because the first artifact itself answers them otherwise
            than the log when run again.
        mean_change: as of a half, with both halves.
    """

    makes: Literal["preprocessing", "model", "both", "none", "few"]
    preprocessing: HalfEffect
    model: HalfEffect
    differ: int
    either: int
    together: int
    cancelled: int
    unstable: int
    mean_change: float | None = None


def which_half(halves: Halves) -> tuple[str, str]:
    """Say which half makes the difference, and in a sentence on which counts that rests."""
    said = {
        "preprocessing": "Its preprocessing makes the difference",
        "model": "Its model makes the difference",
        "both": "Neither half alone makes the difference in all rows",
        "none": "There is no difference to explain",
        "few": "Too few rows differ to name a half",
    }
    counts = (
        f"Of {quantities.rows(halves.differ)} that differ, "
        f"{quantities.count(halves.preprocessing.alone)} differ only with its preprocessing, "
        f"{quantities.count(halves.model.alone)} only with its model, "
        f"{quantities.count(halves.either)} with either one of them, and "
        f"{quantities.count(halves.together)} only with both together."
    )
    return said[halves.makes], counts
