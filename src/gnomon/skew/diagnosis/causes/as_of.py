"""Causes: values of another time that are late, stale, from the future, or the model's own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.offline.shifts import Shift
from gnomon.quantities import duration, plural
from gnomon.skew.diagnosis.case import CONFIRMED, FEWEST_ROWS, Case, Mask, Proposal, Version
from gnomon.skew.diagnosis.replaced_inputs import numbers, without_lists
from gnomon.tolerances import INSTANT_HOURS, ROUNDING, close

__all__ = ["feedback", "leakage", "stale"]

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

_LAGS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 24, 28, 30, 48, 60, 72, 96, 120, 144, 168)
_FEWEST_MATCHES = 0.95
_TELLS_LABEL = 0.98
"""How often the feature orders two rows with different labels correctly (AUC). Hardly any feature
without leakage does as well by itself."""


def leakage(case: Case) -> Iterator[Proposal]:
    """Propose that the right side's value was known only after the prediction was requested."""
    context = case.context
    if context.known is not None:
        late = case.differs & (context.known > context.row_times + INSTANT_HOURS)
        early = case.agrees & (context.known > context.row_times + INSTANT_HOURS)
        if late.sum() >= case.enough:
            after = float(np.median((context.known - context.row_times)[late])) * 3600
            if early.mean() < late.sum() / max(case.differs.sum(), 1):
                yield _leakage_proposal(
                    case, late, f"was known only {duration(round(after))} after the prediction"
                )
                return
    if context.label is None or not case.is_numeric:
        return
    rows = case.both & np.isfinite(context.label)
    if rows.sum() < 2 * FEWEST_ROWS:
        return
    strengths = [
        _predictive_power(side[rows], context.label[rows])
        for side in (case.left_numbers, case.right_numbers)
    ]
    if strengths[1] >= _TELLS_LABEL and strengths[0] < strengths[1] - 0.1:
        yield _leakage_proposal(
            case, rows, f"predicts the label ({strengths[1]:.2f} against {strengths[0]:.2f} online)"
        )


def feedback(case: Case) -> Iterator[Proposal]:
    """Propose that the left side's value is computed from the model's earlier answers."""
    if not case.is_numeric:
        return
    for group, codes in (*case.context.groups, _one_group(case)):
        order, starts = _ordered(case.context.row_times, codes)
        for output, answers in case.context.outputs.items():
            for what, computed in _values_of_answers(answers, order, starts):
                explained = _linear(case, computed)
                if explained is None:
                    continue
                yield Proposal(
                    cause="feedback loop",
                    finding=f"is computed from the model's own {what} `{output}`{_by_group(group)}",
                    undone="Without its own answers",
                    action="Keep the model's own answers out of its features, or train it on "
                    "data that has them: offline there was no such answer.",
                    holds=explained,
                    parameters=2,
                )
                return


def stale(case: Case) -> Iterator[Proposal]:
    """Propose that the left side's value is one that the right side had before."""
    batch_from_table = _value_at_other_time(case)
    if batch_from_table is not None:
        yield batch_from_table
        return
    if not _has_distinct_values(case):
        return
    best: tuple[Mask, str] | None = None
    for group, codes in (*case.context.groups, _one_group(case)):
        order, starts = _ordered(case.context.row_times, codes)
        for lag in _LAGS:
            holds = _matches(case, order, starts, lag)
            rows = case.differs & holds
            if rows.sum() >= _FEWEST_MATCHES * case.differs.sum() and _by_more_than_chance(
                case, order, starts, lag, rows
            ):
                yield _stale_proposal(
                    case,
                    holds,
                    f"is the value from {plural(lag, 'row')} earlier{_by_group(group)}",
                )
                return
        rows, ahead = _values_of_other_rows(case, order, starts)
        enough = rows.sum() >= max(FEWEST_ROWS, 0.5 * case.differs.sum())
        if (
            enough
            and ahead.sum() < 0.5 * rows.sum()
            and (best is None or rows.sum() > best[0].sum())
        ):
            best = rows, group
    if best is not None:
        yield _stale_proposal(case, best[0], f"is a value it had earlier{_by_group(best[1])}")


def _value_at_other_time(case: Case) -> Proposal | None:
    """Look for the value in the table, under the same key at another time."""
    matches = [
        (version, _equal(case, version.values)) for version in case.context.versions(case.column)
    ]
    matches = [(version, equal) for version, equal in matches if _is_why(case, version, equal)]
    if not matches:
        return None
    # Agreeing rows also show which shift it was: a lag of one hour leaves most values unchanged.
    known = case.differs | case.agrees
    best, equal = max(matches, key=lambda match: int((match[1] & known).sum()))
    lags = (
        v.shift
        for v, matched in matches
        if v.shift.hours and (matched & known).sum() >= (equal & known).sum()
    )
    return _version_proposal(case, best, equal, next(lags, None))


def _is_why(case: Case, version: Version, equal: Mask) -> bool:
    """Whether a version accounts for the rows that differ, and not by chance."""
    rows = case.differs & equal
    if rows.sum() < max(FEWEST_ROWS, _FEWEST_MATCHES * case.differs.sum()):
        return False
    known = np.flatnonzero(case.differs)
    shuffled = np.random.default_rng(0).permutation(known)
    permuted = _equal(case, version.values.take(pa.array(_permuted(len(rows), known, shuffled))))
    return bool((permuted & case.differs).sum() < 0.5 * rows.sum())


def _permuted(size: int, rows: Places, replacements: Places) -> Places:
    places = np.arange(size)
    places[rows] = replacements
    return places


def _equal(case: Case, values: pa.Array) -> Mask:
    if case.is_numeric:
        return close(case.left_numbers, numbers(values))
    same = pc.equal(case.left, without_lists(values).cast(case.left.type))
    mask: Mask = pc.fill_null(same, False).to_numpy(zero_copy_only=False)
    return mask


def _version_proposal(case: Case, version: Version, equal: Mask, lag: Shift | None) -> Proposal:
    ages = (case.context.row_times - version.known)[case.differs & equal]
    span = duration(round(abs(float(np.nanmedian(ages))) * 3600))
    shift = version.shift
    how = f"is the table's value {'as ' if shift.hours else ''}of {shift.what}"
    if lag not in (None, shift):
        how += f" (and as of {lag.what})"
    if not shift.is_later:
        return _stale_proposal(case, equal, f"{how}, {span} old when it was used")
    return Proposal(
        cause="stale data",
        finding=f"{how}, known {span} after by its time",
        undone="With the later value on both sides",
        action=f"Look for what delays the {case.names[1]} values: their timestamp may say when a "
        "row was loaded, not when it became true.",
        holds=equal,
        of_one_side=True,
    )


def _leakage_proposal(case: Case, explained: Mask, how: str) -> Proposal:
    return Proposal(
        cause="temporal leakage",
        finding=f"differs because the {case.names[1]} value {how}",
        undone="With the value from after the prediction",
        action=f"Join the {case.names[1]} features as of the time of the prediction: training used "
        "what is not known yet at serving time.",
        holds=explained,
        parameters=0,
        of_one_side=True,
    )


def _stale_proposal(case: Case, holds: Mask, how: str) -> Proposal:
    return Proposal(
        cause="stale data",
        finding=how,
        undone="With the earlier value on both sides",
        action="Look for what delays values: a cache entry that lives too long, a job that runs "
        "too rarely, events that arrive late, a window that ends earlier.",
        holds=holds,
        of_one_side=True,
    )


def _has_distinct_values(case: Case) -> bool:
    """Whether there are so many distinct values that a repeated one is unlikely to be chance."""
    rows = case.both
    if case.is_timestamp or not case.is_numeric or rows.sum() < FEWEST_ROWS:
        return False
    distinct, counts = np.unique(
        case.right_numbers[np.isfinite(case.right_numbers)], return_counts=True
    )
    chance = float(((counts / counts.sum()) ** 2).sum())
    used = len(np.unique(case.left_numbers[rows]))
    return min(len(distinct), used) >= 5 and chance < 0.3


def _one_group(case: Case) -> tuple[str, Places]:
    return "", np.zeros(len(case.differs), dtype=np.int64)


def _ordered(row_times: Floats, codes: Places) -> tuple[Places, Places]:
    """Order rows by group, then by time; also return where the group of each row begins."""
    order = np.lexsort((np.arange(len(row_times)), row_times, codes))
    first = np.r_[True, codes[order][1:] != codes[order][:-1]]
    starts = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    return order, starts


def _before(values: Floats, order: Places, starts: Places, lag: int) -> Floats:
    """Return the value ``lag`` rows before each row in its group; NaN where there is none."""
    sorted_values = values[order]
    shifted = np.full(len(values), np.nan)
    if lag < len(values):
        shifted[lag:] = sorted_values[:-lag]
    shifted[np.arange(len(values)) - lag < starts] = np.nan
    values_before = np.empty(len(values))
    values_before[order] = shifted
    return values_before


def _matches(case: Case, order: Places, starts: Places, lag: int) -> Mask:
    """Find rows with the value of ``lag`` rows before, null or 0 where there is no such row."""
    earlier = _before(case.right_numbers, order, starts, lag)
    turns = np.empty(len(order), dtype=np.int64)
    turns[order] = np.arange(len(order)) - starts
    empty = case.left_null | (case.left_numbers == 0)
    matches: Mask = close(case.left_numbers, earlier) & np.isfinite(earlier)
    matches |= (turns < lag) & empty & case.differs
    return matches


def _by_more_than_chance(case: Case, order: Places, starts: Places, lag: int, rows: Mask) -> bool:
    """Whether fewer than half as many rows match when the earlier rows are permuted."""
    earlier = _before(case.right_numbers, order, starts, lag)
    known = np.flatnonzero(case.differs & np.isfinite(earlier))
    shuffled = np.random.default_rng(0).permutation(known)
    return bool(close(case.left_numbers[known], earlier[shuffled]).sum() < 0.5 * rows.sum())


def _values_of_other_rows(case: Case, order: Places, starts: Places) -> tuple[Mask, Mask]:
    """Find rows whose left value the right side had earlier in the group, and those with later."""
    past = np.zeros(len(order), dtype=bool)
    future = np.zeros(len(order), dtype=bool)
    left, right = np.round(case.left_numbers[order], 12), np.round(case.right_numbers[order], 12)
    begins = np.flatnonzero(starts == np.arange(len(order)))
    for begin, end in zip(begins, np.r_[begins[1:], len(order)], strict=True):
        first: dict[float, int] = {}
        last: dict[float, int] = {}
        for place in range(begin, end):
            first.setdefault(right[place], place)
            last[right[place]] = place
        for place in range(begin, end):
            past[place] = first.get(left[place], end) < place
            future[place] = last.get(left[place], -1) > place
    masks = [np.zeros(len(order), dtype=bool) for _ in range(2)]
    masks[0][order], masks[1][order] = past, future
    return case.both & masks[0], case.both & masks[1]


def _values_of_answers(
    answers: Floats, order: Places, starts: Places
) -> Iterator[tuple[str, Floats]]:
    """Yield values that can be computed from a model's earlier answers, with their names."""
    for lag in (1, 2, 3):
        distance = "one request" if lag == 1 else f"{lag} requests"
        yield f"answer {distance} before,", _before(answers, order, starts, lag)
    filled = np.nan_to_num(answers[order])
    total = np.cumsum(filled) - filled
    total -= total[starts]
    count = np.arange(len(order)) - starts
    mean = np.divide(total, count, where=count > 0, out=np.zeros(len(total)))
    for what, values in (("sum of answers so far,", total), ("mean of answers so far,", mean)):
        computed = np.empty(len(order))
        computed[order] = values
        yield what, computed


def _linear(case: Case, computed: Floats) -> Mask | None:
    """Find rows whose left value or difference is a multiple of ``computed``; None if none."""
    if len(np.unique(computed[case.both & np.isfinite(computed)])) < 2:
        return None
    for target in (case.left_numbers, case.left_numbers - case.right_numbers):
        known = case.both & np.isfinite(computed) & (computed != 0)
        if known.sum() < FEWEST_ROWS or len(np.unique(target[known])) < 2:
            continue
        with np.errstate(all="ignore"):
            factor = float(np.median(target[known] / computed[known]))
        if not np.isfinite(factor) or factor == 0:
            continue
        known = case.both & np.isfinite(computed)
        on_line = known & _is_close(target, factor * computed)
        if on_line.sum() < CONFIRMED * known.sum():
            continue
        if on_line.sum() < 0.9 * case.differs.sum():
            continue
        shuffled = np.random.default_rng(0).permutation(np.flatnonzero(known))
        chance = _is_close(target[known], factor * computed[shuffled])
        if chance.mean() < 0.7:
            return on_line
    return None


def _is_close(left: Floats, right: Floats) -> Mask:
    return close(left, right, absolute=ROUNDING)


def _by_group(group: str) -> str:
    return f", for the same `{group}`" if group else ""


def _predictive_power(values: Floats, label: Floats) -> float:
    """Return the ROC AUC in either direction; for a numeric label, the absolute correlation."""
    classes = np.unique(label)
    if len(classes) == 2:
        ranks = pd.Series(values).rank().to_numpy()
        positive = label == classes[1]
        n, m = int(positive.sum()), int((~positive).sum())
        area = (float(ranks[positive].sum()) - n * (n + 1) / 2) / (n * m)
        return max(area, 1 - area)
    if len(classes) < 2 or values.std() == 0:
        return 0.0
    return abs(float(np.corrcoef(values, label)[0, 1]))
