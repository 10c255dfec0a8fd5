"""Tests draw the same whatever their order."""

from __future__ import annotations

import pytest

from tests.leakage.data import RNG

START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def from_the_start() -> None:
    """Put the shared generator back."""
    RNG.bit_generator.state = START
