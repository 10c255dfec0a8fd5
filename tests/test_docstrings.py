import doctest
import importlib
from pathlib import Path

import pytest

import gnomon

PACKAGE = Path(gnomon.__file__).parent
WITH_EXAMPLES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_of_docstrings_answer_what_they_say(module: str) -> None:
    """Each is run, in the module that it explains."""
    found = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert not found.failed
