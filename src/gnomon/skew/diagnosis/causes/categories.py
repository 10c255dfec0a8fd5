"""Causes in labels and codes: written differently, unknown, or numbered in another order."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gnomon.quantities import plural
from gnomon.report.numbers import value
from gnomon.skew.diagnosis.case import CONFIRMED, FEWEST_ROWS, Case, Mask, Proposal

__all__ = ["FORMS", "code_order", "form", "text_cut", "unknown_category"]

_MOST_CODES = 500

FORMS: dict[str, Callable[[str], str]] = {
    "case": str.casefold,
    "white space": lambda text: re.sub(r"\s+", " ", text).strip(),
    "Unicode form": lambda text: unicodedata.normalize("NFKC", text),
    "accents": lambda text: "".join(
        c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)
    ),
    "punctuation": lambda text: re.sub(r"[\W_]+", "", text),
    "number format": lambda text: _as_number(text),
}
"""Ways in which two spellings of one label differ, each with a function that makes them equal.
Unicode forms: UAX #15."""


def form(case: Case) -> Iterator[Proposal]:
    """Propose that a label is spelled differently."""
    if not case.is_text:
        return
    left, right = _texts(case)
    rows = np.flatnonzero(~case.left_null & ~case.right_null)
    results = []
    for names in (*((name,) for name in FORMS), tuple(FORMS)[:4], tuple(FORMS)):
        same = {
            pair: spelled(pair[0], names) == spelled(pair[1], names)
            for pair in {(left[i], right[i]) for i in rows.tolist()}
        }
        holds = np.zeros(len(left), dtype=bool)
        holds[[i for i in rows.tolist() if same[left[i], right[i]]]] = True
        results.append((names, holds))
    most = max(int((holds & case.differs).sum()) for _, holds in results)
    if most < case.enough:
        return
    # The fewest forms that explain as much as all of them.
    names, holds = next(f for f in results if (f[1] & case.differs).sum() >= CONFIRMED * most)
    example = _most_frequent(left, right, holds & case.differs)
    what = " and ".join(names) if len(names) < 3 else "case, white space or Unicode form"
    yield Proposal(
        cause="category form",
        finding=f"is spelled differently from {case.names[1]}, in its {what}: {example}",
        undone=f"Ignoring {what}",
        action="Write labels the same way on both sides before the pipeline sees them: strip, "
        "fold the case and normalise to NFC in the pipeline itself.",
        holds=holds,
        parameters=0,
    )


def text_cut(case: Case) -> Iterator[Proposal]:
    """Propose that one side keeps fewer characters."""
    if not case.is_text:
        return
    left, right = _texts(case)
    there = np.flatnonzero(~case.left_null & ~case.right_null).tolist()
    fitted = [i for i in there if case.fitted[i]]
    for name, short, long in ((case.names[0], left, right), (case.names[1], right, left)):
        lengths = {len(short[i]) for i in fitted}
        longest = max(lengths, default=0)
        holds = np.zeros(len(left), dtype=bool)
        # A space at the cut may have been stripped.
        cut = (i for i in there if short[i] and long[i][:longest].rstrip() == short[i].rstrip())
        holds[[*cut]] = True
        enough = case.is_enough(holds)
        if enough and len(lengths) <= 2:
            yield Proposal(
                cause="truncation",
                finding=f"differs by truncation: the {name} side keeps {_kept(longest)}",
                undone=f"With both sides cut to {_kept(longest)}",
                action=f"Keep the complete text on the {name} side; look for a column that is too "
                "narrow.",
                holds=holds,
            )
            return


def unknown_category(case: Case) -> Iterator[Proposal]:
    """Propose that one side has labels that training never saw where the other has known ones."""
    domain = case.context.domains.get(case.column)
    if not case.is_text or domain is None:
        return
    left, right = _texts(case)
    known = [np.array([text in domain for text in side], dtype=bool) for side in (left, right)]
    comparable = ~case.left_null & ~case.right_null
    for index, (name, strange) in enumerate(
        ((case.names[0], ~known[0] & known[1]), (case.names[1], ~known[1] & known[0]))
    ):
        holds = comparable & strange
        explained = case.differs & holds
        if explained.sum() < case.enough:
            continue
        side = (left, right)[index]
        counts = Counter(side[i] for i in np.flatnonzero(explained).tolist())
        examples = ", ".join(f"`{text}`" for text, _ in counts.most_common(3))
        examples += " and others" if len(counts) > 3 else ""
        unseen = f"{examples}, which training never saw"
        yield Proposal(
            cause="unknown category",
            finding=f"is {unseen}, where {case.names[1]} has labels that it saw"
            if index == 0
            else f"has labels that training saw where {case.names[1]} is {unseen}",
            undone="With the known label in its place",
            action=f"Find what replaces labels on the {name} side: a lookup that misses, a list "
            "of allowed values, or a default for what is rare.",
            holds=holds,
            of_one_side=True,
        )


def code_order(case: Case) -> Iterator[Proposal]:
    """Propose that the same codes or labels are assigned to other categories."""
    pairs = _codes(case)
    if pairs is None:
        return
    left, right = pairs
    there = ~case.left_null & ~case.right_null
    fitted = np.flatnonzero(case.fitted & there)
    mapping = _bijection([(right[i], left[i]) for i in fitted.tolist()])
    if mapping is None:
        return
    holds = np.zeros(len(left), dtype=bool)
    rows = np.flatnonzero(there).tolist()
    holds[[i for i in rows if mapping.get(right[i], right[i]) == left[i]]] = True
    examples = ", ".join(f"{value(a)} is {value(b)}" for a, b in sorted(mapping.items())[:3])
    if len(mapping) == 2 and not holds[case.agrees].all() and _has_only(case, mapping):
        return  # Of two values, what differs is the other one: that says nothing.
    yield Proposal(
        cause="category code order",
        finding=f"has the codes of {case.names[1]} in another order ({examples})",
        undone="With the codes put back in order",
        action="Take the encoder's categories from the artifact, in its order, on both sides; look "
        "for codes that are given by order of appearance.",
        holds=holds,
        parameters=len(mapping),
    )


def spelled(text: str, names: Sequence[str]) -> str:
    """Normalize a label by some of :data:`FORMS`."""
    for name in names:
        text = FORMS[name](text)
    return text


def _kept(length: int) -> str:
    return plural(length, "character")


def _texts(case: Case) -> tuple[list[str], list[str]]:
    left, right = (
        ["" if text is None else text for text in side.to_pylist()]
        for side in (case.left, case.right)
    )
    return left, right


def _as_number(text: str) -> str:
    try:
        return repr(float(text.replace(",", ".")))
    except ValueError:
        return text


def _most_frequent(left: list[str], right: list[str], among: Mask) -> str:
    counts = Counter((left[i], right[i]) for i in np.flatnonzero(among).tolist())
    (first, second), _ = counts.most_common(1)[0]
    return f"`{first}` where it is `{second}`"


def _has_only(case: Case, values: Collection[Any]) -> bool:
    return set(case.right.drop_null().to_pylist()) <= set(values)


def _codes(case: Case) -> tuple[list[Any], list[Any]] | None:
    """Return both sides as codes; None if the column does not hold codes."""
    if case.is_text:
        return case.left.to_pylist(), case.right.to_pylist()
    if not case.is_numeric:
        return None
    known: npt.NDArray[np.bool_] = np.isfinite(case.left_numbers) & np.isfinite(case.right_numbers)
    if (case.left_numbers[known] % 1).any() or (case.right_numbers[known] % 1).any():
        return None
    if len(np.unique(case.right_numbers[known])) > _MOST_CODES:
        return None
    return case.left_numbers.tolist(), case.right_numbers.tolist()


def _bijection(pairs: list[tuple[Any, Any]]) -> dict[Any, Any] | None:
    """Return the one-to-one mapping from right to left codes; None if the sets of codes differ."""
    counts = Counter(pairs)
    best: dict[Any, tuple[Any, int]] = {}
    for (right, left), n in counts.items():
        if n > best.get(right, (None, 0))[1]:
            best[right] = (left, n)
    mapping = {right: left for right, (left, _) in best.items()}
    followed = sum(n for _, n in best.values())
    moved, targets = set(mapping), set(mapping.values())
    enough = len(moved) >= 2 and len(pairs) >= max(FEWEST_ROWS, 3 * len(moved))
    closed = moved == targets or not isinstance(pairs[0][0], float)
    same_codes = closed and len(moved & targets) >= max(2, 0.5 * len(moved))
    one_to_one = len(targets) == len(moved)
    if not (enough and same_codes and one_to_one and followed >= CONFIRMED * len(pairs)):
        return None
    return mapping
