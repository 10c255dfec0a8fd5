"""The page of the Python API says what the code says: every public name, and every argument."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import gnomon
from tests import api_reference

PAGE = Path(__file__).resolve().parent.parent / "docs" / "python.md"

FUNCTIONS = [
    "gnomon.pack",
    "gnomon.inspect",
    "gnomon.load",
    "gnomon.Client",
    "gnomon.contract.infer_contract",
    "gnomon.service.gateway",
    "gnomon.testing.serving",
]
"""What is called with arguments, each with a section of its own."""

# BentoML warns of what it uses itself when it is imported, which the gateway's room does.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def named(name: str) -> Any:
    """What a dotted name stands for."""
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


def argument_rows(function: Callable[..., Any]) -> list[str]:
    """The table of arguments, as the code says it; copy a row from here when the test fails."""
    words = inspect.getdoc(function) or ""
    described = re.search(r"^Args:\n((?:    .*\n|\n)+)", words + "\n", re.MULTILINE)
    assert described, f"no `Args:` in the docstring of {function}"
    found = re.findall(r"^    (\**\w+): (.*(?:\n        .*)*)", described.group(1), re.MULTILINE)
    meanings = {name.lstrip("*"): re.sub(r"\s+", " ", meaning) for name, meaning in found}
    rows = []
    for parameter in inspect.signature(function).parameters.values():
        default = "" if parameter.default is parameter.empty else f"`{parameter.default!r}`"
        meaning = re.sub(r":\w+:`~?([\w.]+)`", r"`\1`", meanings[parameter.name])
        rows.append(f"| `{parameter.name}` | {default} | {meaning.replace('``', '`')} |")
    return rows


def sections() -> dict[str, str]:
    """The page by its headings that name something of the package."""
    _, *parts = re.split(r"^## `", PAGE.read_text(), flags=re.MULTILINE)
    return {part.partition("`")[0]: part for part in parts}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_documented_as_the_code_says(name: str) -> None:
    """Name, default and meaning, in the order of the code."""
    written = [line for line in sections()[name].splitlines() if line.startswith("| `")]
    assert written == argument_rows(named(name))


def test_every_section_is_of_a_name_that_exists() -> None:
    """Nothing is documented that is gone."""
    assert set(sections()) == set(FUNCTIONS)


def test_every_public_name_is_documented() -> None:
    """Each is in one of the tables of names, exactly once; no other name is."""
    written = re.findall(r"^\| \[?`gnomon\.(\w+)`", PAGE.read_text(), re.MULTILINE)
    assert sorted(written) == sorted(gnomon.__all__)


def test_every_method_of_a_client_is_documented() -> None:
    """Its arguments are documented too; the awaiting client has the same."""
    methods = {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(gnomon.Client, inspect.isfunction)
        if not name.startswith("_")
    }
    awaited = {name for name in dir(gnomon.AsyncClient) if not name.startswith("_")}
    assert awaited == set(methods)
    written = dict(re.findall(r"^- `(\w+)\(([^`]*)\)`", PAGE.read_text(), re.MULTILINE))
    expected = {}
    for name, signature in methods.items():
        named = [
            f"{p.name}={p.default!r}" if p.default is not p.empty else p.name
            for p in signature.parameters.values()
            if p.name != "self"
        ]
        expected[name] = ", ".join(named)
    assert written == expected


def page_imports() -> set[tuple[str, str]]:
    """Each module and name that a page of the documentation imports from the package."""
    pages = [*PAGE.parent.glob("*.md"), PAGE.parent.parent / "README.md"]
    return {
        (module, name.strip().partition(" as ")[0])
        for page in pages
        for module, names in re.findall(
            r"^\s*from (gnomon[\w.]*) import ([\w, ]+)$", page.read_text(), re.MULTILINE
        )
        for name in names.split(",")
    }


def test_every_import_on_a_page_works() -> None:
    """Each ``from gnomon... import ...`` in the documentation names what exists."""
    found = page_imports()
    assert found
    for module, name in sorted(found):
        assert hasattr(import_module(module), name), f"{module} has no {name}"


WITHOUT_PUBLIC_NAME = {
    # Checks a frame in memory, and merges checks; `gnomon.check_contract` takes a file or the log.
    ("gnomon.contract", "Check"),
    ("gnomon.contract", "check_frame"),
}
"""What examples import that is neither a name of the package nor in the reference."""


def test_examples_import_public_names() -> None:
    """An example uses ``gnomon`` and what the reference documents, not modules that may move."""
    documented = {
        (module, name) for module, names in api_reference.OTHER_MODULES.items() for name in names
    }
    imported = {pair for pair in page_imports() if pair[0] != "gnomon"}
    assert imported - documented == WITHOUT_PUBLIC_NAME


def test_the_reference_is_what_the_docstrings_say() -> None:
    """It is generated; after a change of a docstring: ``python -m tests.api_reference``."""
    assert api_reference.PAGE.read_text() == api_reference.reference()


def test_every_public_name_has_a_docstring() -> None:
    """Each method and property too: the reference has no empty place."""
    page = api_reference.reference()
    empty = re.findall(r"^(#+ `[^`]+`)\n+(?=#|\Z)", page, re.MULTILINE)
    assert empty == []
