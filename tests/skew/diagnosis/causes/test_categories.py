import unicodedata

import numpy as np
import pytest

from gnomon.skew.diagnosis.causes.categories import code_order
from tests.skew.diagnosis.cases import case, explained, why

LABELS = np.random.default_rng(8).choice(["Köln", "Åre", "Paris", "Rome"], 200).tolist()
DOMAIN = {"x": frozenset(LABELS)}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (str.upper, "case"),
        (lambda s: f" {s} ", "white space"),
        (lambda s: unicodedata.normalize("NFD", s), "Unicode form"),
        (lambda s: s.replace("ö", "o").replace("Å", "A"), "accents"),
    ],
)
def test_labels_that_are_spelled_otherwise(change: object, what: str) -> None:
    """Case, space, Unicode form and accents; the finding says which."""
    found = explained([change(s) for s in LABELS], LABELS, domains=DOMAIN)  # type: ignore[operator]
    assert [f.proposal.cause for f in found.found] == ["category form"]
    assert what in found.found[0].proposal.finding


def test_labels_that_are_spelled_otherwise_each_in_its_own_way() -> None:
    """A space behind some, another Unicode form of others: all of it is one cause."""
    other = [unicodedata.normalize("NFD", s) if not s.isascii() else f"{s} " for s in LABELS]
    found = explained(other, LABELS, domains=DOMAIN)
    assert [f.proposal.cause for f in found.found] == ["category form"]
    assert found.is_whole


def test_labels_that_training_never_saw() -> None:
    """A placeholder, or new names for what was known."""
    for other in (["other"] * 200, [f"city {i % 5}" for i in range(200)]):
        assert why(other, LABELS, domains=DOMAIN) == ["unknown category"]


def test_labels_that_were_dealt_anew() -> None:
    """The labels are exchanged one to one."""
    exchanged = dict(
        zip(["Köln", "Åre", "Paris", "Rome"], ["Rome", "Köln", "Åre", "Paris"], strict=True)
    )
    assert why([exchanged[s] for s in LABELS], LABELS, domains=DOMAIN) == ["category code order"]


def test_codes_in_another_order() -> None:
    """Integer codes permuted, as by order of appearance; a reversal is no straight line."""
    codes = np.random.default_rng(9).integers(0, 6, 300).astype(float)
    order = np.array([3.0, 5.0, 0.0, 4.0, 1.0, 2.0])
    assert why(order[codes.astype(int)], codes, "step") == ["category code order"]
    assert why(5 - codes, codes, "step") == ["category code order"]


def test_random_labels_have_no_cause() -> None:
    """Random labels have no order."""
    other = np.random.default_rng(10).choice(sorted(set(LABELS)), 200).tolist()
    assert why(other, LABELS, domains=DOMAIN) == []


def test_text_that_was_cut_off() -> None:
    """A column of ten characters keeps the beginnings."""
    words = [f"{i * 7919:x} is the remark of a long series" for i in range(100)]
    assert why([w[:10] for w in words], words) == ["truncation"]


CODES = np.random.default_rng(9).integers(0, 6, 300)
"""Codes from 0 to 5, each about fifty times."""


def recoded(order: list[float], codes: np.ndarray = CODES) -> list[str]:
    """The causes found when code `i` came out as `order[i]`."""
    return why(np.array(order)[codes], codes.astype(float), "step")


def test_codes_that_fall_together_are_in_no_other_order() -> None:
    """Two codes that became one lose a distinction; that is not a permutation."""
    words = np.array(["a", "b", "c", "d"])[CODES % 4]
    for order in (["b", "d", "d", "a"], ["b", "a", "b", "a"]):
        merged = np.array(order)[CODES % 4]
        assert not list(code_order(case(merged.tolist(), words.tolist())))
    assert recoded([3, 3, 0, 4, 1, 2]) == []


def test_codes_that_follow_an_order_only_mostly_are_in_no_other_order() -> None:
    """One row in ten that does not follow is too much to leave to chance."""
    order = np.array([3.0, 5.0, 0.0, 4.0, 1.0, 2.0])
    left = order[CODES]
    left[::10] = (left[::10] + 1) % 6
    assert not list(code_order(case(left, CODES.astype(float), "step")))


def test_codes_of_another_range_are_in_no_other_order() -> None:
    """Ten higher and permuted: not the same codes."""
    assert recoded([13, 15, 10, 14, 11, 12]) == []


@pytest.mark.parametrize(("exchanged", "named"), [(7, False), (8, True)])
def test_a_few_codes_exchanged_may_be_chance(exchanged: int, named: bool) -> None:
    """Seven rows are too few to speak of an order; eight are the least."""
    left = CODES.astype(float)
    rows = np.flatnonzero(CODES < 2)[:exchanged]
    left[rows] = 1 - left[rows]
    assert bool(list(code_order(case(left, CODES.astype(float), "step")))) == named
