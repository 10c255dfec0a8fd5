"""Benchmarks run rarely, so what they import is checked here."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_what_benchmarks_import_of_gnomon_exists() -> None:
    """A module that was moved or renamed must reach them."""
    named = {
        node.module
        for path in (ROOT / "benchmarks").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    ours = sorted(name for name in named if name.partition(".")[0] == "gnomon")
    assert len(ours) > 30
    assert [name for name in ours if find_spec(name) is None] == []
