"""The limit on the bytes of long bodies that are held at a time."""

from __future__ import annotations

import pytest

from gnomon.contract.body_size import SOON_BYTES
from gnomon.errors import Overloaded
from gnomon.service.http.body_budget import BodyBudget


def test_short_bodies_do_not_count() -> None:
    """Any number of them fits, even where long ones have used the whole budget."""
    budget = BodyBudget(60)
    with budget.body() as long, budget.body() as short:
        long(SOON_BYTES + 60)
        short(SOON_BYTES)
        assert budget.bytes == 60


def test_a_body_beyond_the_budget_is_refused() -> None:
    """What it held until then counts until its block ends, and nothing after that."""
    budget = BodyBudget(100)
    with budget.body() as first:
        first(SOON_BYTES + 60)
        with budget.body() as second:
            second(SOON_BYTES + 10)
            second(SOON_BYTES + 40)
            assert budget.bytes == 100
            with pytest.raises(Overloaded, match="100 bytes of large requests are already held"):
                second(SOON_BYTES + 41)
            assert budget.bytes == 100
        assert budget.bytes == 60
    assert budget.bytes == 0
