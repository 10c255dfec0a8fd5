"""Check whether serving rows resemble training rows and, if not, which features differ."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from gnomon.leakage import encodings
from gnomon.leakage.finding import LeakageEvidence, LeakageFinding, unknown
from gnomon.leakage.labelled_table import LabelledTable
from gnomon.leakage.two_sample_classifier import TwoSampleClassifier, folds

__all__ = ["CHECK", "check_domain"]

CHECK = "domain"

MOVED = 0.6
"""The AUC from which a difference is reported as a note."""

OTHER = 0.95
"""The AUC from which serving rows may be of a different kind."""

BEYOND = 8
"""How many times fewer pairs the classifier must confuse than in the control, which separates the
first or last days of the training data from its others. Drift alone also has this effect: on eight
splits of a year of flights by date, serving rows were confused up to 5 times less than the control,
and 20 to 1000 times less with a feature missing or its text in another case."""

LEAST = 0.002
"""The lower limit for the share of confused pairs, so that two nearly perfect AUCs count as equal.
"""

BROKEN = 0.5
"""A feature counts as broken if this share of its rows became null, or has values that training
does not have, and if the control does not show the same."""

MOST_ROWS = 5_000
"""The most rows of each side that are examined."""

FEWEST_ROWS = 100
NAMED = 5
COUNTS = 0.01
"""The loss of AUC from which a feature is named."""

_SEED = 0

Floats = npt.NDArray[np.float64]


class _Control(NamedTuple):
    """How well a classifier separates some days of the training data from the others (AUC), and
    which features are broken on these days."""

    area: float
    broken: frozenset[str]


def check_domain(train: LabelledTable, serving: pd.DataFrame) -> list[LeakageFinding]:
    """Train a classifier to separate serving rows from training rows, as a test of a difference.

    Columns that always differ are left out: timestamps (but their hour and weekday are used), the
    entity key, and columns that identify rows. The others differ by drift as well, so the control
    is how well the first and last days of the training data are separated from its other days.

    Args:
        train: training rows.
        serving: served rows, with the same features.
    """
    fewest = min(len(train), len(serving))
    if fewest < FEWEST_ROWS:
        return [_too_few(fewest)]
    served = _served(train, serving)
    classifier = _classifier(train, served)
    if classifier is None or classifier.area.estimate().low < MOVED:
        return []
    control = _control(train, served) if classifier.area.estimate().low >= OTHER else None
    return [_finding(classifier, control)]


def _served(train: LabelledTable, serving: pd.DataFrame) -> LabelledTable:
    """Return serving rows as a table with the columns of the training table."""
    frame = serving.reset_index(drop=True)
    return LabelledTable.of(
        frame, features=train.features, event_time=train.event_time, entity_key=train.entity_key
    )


def _classifier(train: LabelledTable, served: LabelledTable) -> TwoSampleClassifier | None:
    """Train a classifier that separates the two, unless no column is left to separate them by."""
    sides = [side.sample(MOST_ROWS) for side in (_without_labels(train), served)]
    first, second = (_parts(side.frame, train) for side in sides)
    if not first.shape[1]:
        return None
    return TwoSampleClassifier(
        first, second, np.concatenate([folds(_order(side)) for side in sides])
    )


def _control(train: LabelledTable, served: LabelledTable) -> _Control | None:
    """Measure how well some days of the training data are separated from its other days.

    They are the first or the last days: as many as were served, but at most a third.
    """
    if train.event_time is None:
        return _Control(0.5, frozenset())
    controls = []
    order = _order(train)
    span = min(np.ptp(_order(served)), np.ptp(order) / 3)
    for part in (order >= order.max() - span, order <= order.min() + span):
        inside, outside = (
            _without_labels(train).take(np.flatnonzero(side)) for side in (part, ~part)
        )
        if min(len(inside), len(outside)) >= FEWEST_ROWS and (
            classifier := _classifier(outside, inside)
        ):
            controls.append(_Control(classifier.area.value, _broken(classifier)))
    if not controls:
        return None
    return _Control(
        max(control.area for control in controls),
        frozenset.union(*(control.broken for control in controls)),
    )


def _broken(classifier: TwoSampleClassifier) -> frozenset[str]:
    """Find features that became mostly null, or mostly have values that the first rows lack."""
    return frozenset(
        str(name)
        for name, column in classifier.both.items()
        if _differs(column[~classifier.is_second], column[classifier.is_second])
    )


def _differs(train: pd.Series[Any], serving: pd.Series[Any]) -> bool:
    nulls = abs(train.isna().mean() - serving.isna().mean())
    return bool(nulls >= BROKEN or _share_of_new_values(train, serving) >= BROKEN)


def _share_of_new_values(train: pd.Series[Any], serving: pd.Series[Any]) -> float:
    """Return the share of serving values that training does not have; 0 for numbers."""
    if encodings.numbers(train) is not None or not serving.notna().any():
        return 0.0
    known = set(encodings.text(train).dropna())
    return float((~encodings.text(serving).dropna().isin(known)).mean())


def _without_labels(table: LabelledTable) -> LabelledTable:
    return LabelledTable.of(
        table.frame,
        features=table.features,
        event_time=table.event_time,
        entity_key=table.entity_key,
    )


def _order(table: LabelledTable) -> Floats:
    """Return the event time in seconds or, if there is none, the row number."""
    rows = np.arange(len(table), dtype=np.float64)
    if table.event_time is None:
        return rows
    seconds = encodings.numbers(table.column(table.event_time))
    return rows if seconds is None else np.nan_to_num(seconds, nan=np.nanmin(seconds))


def _parts(frame: pd.DataFrame, like: LabelledTable) -> pd.DataFrame:
    """Return the columns by which the classifier may separate rows."""
    parts: dict[str, Any] = {}
    for name in like.features:
        column, model = frame[name], like.column(name)
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            parts |= _clock(name, column, model)
        elif name not in like.entity_key and not encodings.is_unique(model):
            parts[name] = column.array
    return pd.DataFrame(parts)


def _clock(name: str, column: pd.Series[Any], model: pd.Series[Any]) -> dict[str, Floats]:
    """Return the hour and the weekday of timestamps, if training has seen each of them twice."""
    seconds = encodings.numbers(model)
    known = np.array([]) if seconds is None else seconds[~np.isnan(seconds)]
    days = np.ptp(known) / 86_400 if len(known) else 0.0
    parts = {}
    if days >= 2:
        parts[f"{name} (hour)"] = column.dt.hour.to_numpy(np.float64)
    if days >= 14:
        parts[f"{name} (weekday)"] = column.dt.day_of_week.to_numpy(np.float64)
    return parts


def _finding(classifier: TwoSampleClassifier, control: _Control | None) -> LeakageFinding:
    auc, losses = classifier.area.estimate(), classifier.losses()
    broken = _broken(classifier) - control.broken if control else frozenset()
    is_other_kind = control is not None and (bool(broken) or _is_beyond(auc.value, control.area))
    ordered = sorted(losses, key=lambda name: (name not in broken, -losses[name]))
    named = [name for name in ordered if name in broken or losses[name] >= COUNTS][:NAMED]
    by = ", ".join(f"`{name}`" for name in named) or "no single feature"
    numbers = {f"AUC lost without {name}": losses[name] for name in named}
    return LeakageFinding(
        check=CHECK,
        features=tuple(named),
        severity="suspect" if is_other_kind else "note",
        sentence=f"a classifier separates serving rows from training rows (AUC {auc.value:.3f}, "
        f"{auc.low:.3f} to {auc.high:.3f}), by {by}",
        evidence=LeakageEvidence.of(
            auc,
            numbers=numbers | ({"AUC of the control": control.area} if control else {}),
            examples=[
                _difference_text(name, classifier.both[name], classifier.is_second)
                for name in named
            ],
        ),
        action="find out whether these features are computed online as they were for training"
        if is_other_kind
        else "monitor these features: training had fewer rows like those that are served",
    )


def _is_beyond(area: float, control: float) -> bool:
    return BEYOND * max(1 - area, LEAST) <= 1 - control


def _difference_text(name: str, column: pd.Series[Any], is_serving: npt.NDArray[np.bool_]) -> str:
    """Describe in a line how a feature differs: its nulls, its quartiles or its new values."""
    sides = column[~is_serving], column[is_serving]
    nulls = [side.isna().mean() for side in sides]
    if abs(nulls[0] - nulls[1]) > 0.1:
        return f"{name}: null in {nulls[0]:.0%} of training rows, {nulls[1]:.0%} of serving rows"
    values = encodings.numbers(column)
    if values is not None:
        train, serving = _middle(values[~is_serving]), _middle(values[is_serving])
        return f"{name}: {train} in training, {serving} in serving"
    new_share = _share_of_new_values(*sides)
    return f"{name}: {new_share:.0%} of serving rows have a value that training rows do not"


def _middle(values: Floats) -> str:
    known = values[~np.isnan(values)]
    if not len(known):
        return "null"
    low, middle, high = (encodings.short(float(v)) for v in np.quantile(known, [0.25, 0.5, 0.75]))
    return f"{middle} ({low} to {high} in the middle half)"


def _too_few(rows: int) -> LeakageFinding:
    return unknown(
        CHECK,
        f"inconclusive whether serving rows are like training rows: there are {rows:,} rows of "
        f"one, and at least {FEWEST_ROWS} are needed",
        rows,
        "check again when more rows have been served",
    )
