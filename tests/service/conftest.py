"""A stand-in deployment and a real HTTP server in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.forking import forked_children, fresh_children
from tests.service.standin import StandIn, serving

__all__ = ["forked_children", "fresh_children", "standin", "url"]


@pytest.fixture
def standin() -> StandIn:
    """The deployment behind :func:`url`."""
    return StandIn()


@pytest.fixture
def url(standin: StandIn) -> Iterator[str]:
    """Where it is served."""
    with serving(standin) as address:
        yield address
