"""A class has a name of its own in the whole package."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src" / "gnomon"

IMPLEMENTED_TWICE = {"ChildWatch", "RunQueue"}
"""The portable implementation of what only Linux has is a class of the same name."""


def test_no_two_classes_have_the_same_name() -> None:
    """A reader who searches for a name finds one class; private ones may repeat."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in SOURCE.rglob("*.py"):
        for name in re.findall(r"^class ([A-Z]\w*)", path.read_text(), re.MULTILINE):
            found[name].append(str(path.relative_to(SOURCE)))
    assert {n: at for n, at in found.items() if len(at) > 1 and n not in IMPLEMENTED_TWICE} == {}
