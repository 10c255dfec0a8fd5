"""A real artifact that tests may forge, and a child process that records what loading it does."""

from __future__ import annotations

from tests.artifact.conftest import bare, copied, home, own_preprocessing, packed, project
from tests.forking import forked_children

__all__ = [
    "bare",
    "copied",
    "forked_children",
    "home",
    "own_preprocessing",
    "packed",
    "project",
]
