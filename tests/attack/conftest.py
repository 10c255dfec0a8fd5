"""A real artifact that tests may forge, and a child process that watches what loading it does."""

from __future__ import annotations

from tests.artifact.conftest import bare, copied, home, own_preprocessing, packed, project

__all__ = ["bare", "copied", "home", "own_preprocessing", "packed", "project"]
