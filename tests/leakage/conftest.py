"""Tests get the same random numbers in any order."""

from __future__ import annotations

import pytest

from tests.leakage.data import RNG

START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def from_the_start() -> None:
    """Reset the shared generator."""
    RNG.bit_generator.state = START
