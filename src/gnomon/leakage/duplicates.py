"""Check for rows and entities on both sides of a split, which make the holdout too easy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from gnomon.leakage import encodings, row_hashes
from gnomon.leakage.finding import LeakageEvidence, LeakageFinding, Severity
from gnomon.leakage.labelled_table import LabelledTable
from gnomon.leakage.measures import CONFIDENCE, share_within
from gnomon.leakage.overlap import is_later

__all__ = ["ENTITIES", "NEAR", "ROWS", "check_duplicates", "check_entities", "check_near"]

ROWS = "duplicates"
NEAR = "near duplicates"
ENTITIES = "entities"

FEW = 0.01
"""The share of holdout rows that may be in the training data too. A model that has memorised one
row in a hundred gains at most 0.01 in accuracy, AUC or R2."""

BEYOND_CHANCE = 3
"""How many times more duplicates there must be than by chance, so that a table with few columns of
few values, whose rows are often equal, is not reported."""

EXAMPLES = 3
_SEED = 0

Mask = npt.NDArray[np.bool_]
Hash = Callable[[pd.DataFrame], row_hashes.Hashes]


def check_duplicates(train: LabelledTable, holdout: LabelledTable) -> list[LeakageFinding]:
    """Find holdout rows with all features equal to those of a training row."""
    names = list(train.features)
    left, right = train.frame[names], holdout.frame[names]
    hits = row_hashes.found_in(row_hashes.exact(right), row_hashes.exact(left))
    if not _too_many(hits, left, right, row_hashes.exact):
        return []
    return [
        _finding(
            ROWS,
            "leak",
            hits,
            "are also in the training data, with every feature equal",
            "drop duplicates before splitting; repeat rows on purpose only afterwards",
        )
    ]


def check_near(train: LabelledTable, holdout: LabelledTable) -> list[LeakageFinding]:
    """Find holdout rows that equal a training row except for rounding, case, spaces or an id.

    Columns that identify rows are left out, because a copied row often gets a new id.
    """
    identifying = [name for name in train.features if encodings.is_unique(train.column(name))]
    compared = [name for name in train.features if name not in identifying]
    if not compared:
        return []
    left, right = train.frame[compared], holdout.frame[compared]

    def near(rows: pd.DataFrame) -> row_hashes.Hashes:
        return row_hashes.rounded(rows, left)

    features = list(train.features)
    same = row_hashes.found_in(
        row_hashes.exact(holdout.frame[features]), row_hashes.exact(train.frame[features])
    )
    hits = row_hashes.found_in(near(right), near(left)) & ~same
    if not _too_many(hits, left, right, near):
        return []
    exceptions = ", ".join(["rounding, case or spaces", *(f"`{name}`" for name in identifying)])
    return [
        _finding(
            NEAR,
            "suspect",
            hits,
            f"are also in the training data, except for {exceptions}",
            "find out why there are two of them, and keep both on one side of the split",
        )
    ]


def check_entities(train: LabelledTable, holdout: LabelledTable) -> list[LeakageFinding]:
    """Find holdout rows of entities that are also in the training data."""
    key = list(train.entity_key)
    if not key:
        return []
    hits = row_hashes.found_in(
        row_hashes.exact(holdout.frame[key]), row_hashes.exact(train.frame[key])
    )
    if share_within(int(hits.sum()), len(hits))[0] <= FEW:
        return []
    named = ", ".join(f"`{name}`" for name in key)
    later = is_later(train, holdout)
    return [
        _finding(
            ENTITIES,
            "note" if later else "suspect",
            hits,
            f"belong to an entity ({named}) that is also in the training data",
            "no change if the same entities occur online; otherwise split by entity"
            if later
            else "split by entity; or by time, if the same entities occur online",
            tuple(key),
        )
    ]


def _too_many(hits: Mask, left: pd.DataFrame, right: pd.DataFrame, hash_of: Hash) -> bool:
    """Whether significantly more rows are duplicates than allowed, and than chance gives.

    Chance is measured with a training table in which each column was shuffled separately.
    """
    lowest_share = share_within(int(hits.sum()), len(hits))[0]
    if lowest_share <= FEW:
        return False
    random = np.random.default_rng(_SEED)
    shuffled = pd.DataFrame(
        {name: column.array.take(random.permutation(len(left))) for name, column in left.items()}
    )
    chance = row_hashes.found_in(hash_of(right), hash_of(shuffled)).mean()
    return bool(lowest_share > BEYOND_CHANCE * chance)


def _finding(
    check: str,
    severity: Severity,
    hits: Mask,
    what: str,
    action: str,
    features: tuple[str, ...] = (),
) -> LeakageFinding:
    count, rows = int(hits.sum()), len(hits)
    low, high = share_within(count, rows)
    return LeakageFinding(
        check=check,
        features=features,
        severity=severity,
        sentence=f"{count:,} of {rows:,} rows of the holdout {what}",
        evidence=LeakageEvidence(
            rows=rows,
            hits=count,
            measure="share of rows",
            value=count / rows,
            low=low,
            high=high,
            confidence=CONFIDENCE,
            examples=tuple(f"row {row} of the holdout" for row in np.flatnonzero(hits)[:EXAMPLES]),
        ),
        action=action,
    )
