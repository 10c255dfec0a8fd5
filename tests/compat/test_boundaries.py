"""Only ``gnomon.compat`` uses private parts of libraries, and what it needs is declared."""

from __future__ import annotations

import ast
import importlib.metadata as metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gnomon"
COMPAT = SOURCE / "compat"
PLACES = (SOURCE, ROOT / "service", ROOT / "models", ROOT / "preprocessing", ROOT / "shadow")
OUTSIDE = sorted(
    file for place in PLACES for file in place.rglob("*.py") if not file.is_relative_to(COMPAT)
)

UNDOCUMENTED = (
    "uvicorn",
    "circus",
    "prometheus_client.values",
    "prometheus_client.mmap_dict",
    "pandas.api.internals",
    "pandas.core",
)
"""Modules without an underscore that their packages promise nothing of; of uvicorn only what its
documentation leaves out is used, of circus all belongs to BentoML."""

BY_TEXT = frozenset({"getattr", "hasattr", "setattr", "delattr"})

FILES = {
    "bentoml": "bentoml",
    "circus": "kantoku",
    "uvicorn": "uvicorn",
    "prometheus_client": "prometheus-client",
    "sklearn": "scikit-learn",
    "skops": "skops",
    "pandas": "pandas",
}


def reaches(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and the text of everything that reaches into a private part of another package."""
    foreign: set[str] = set()
    for node in ast.walk(tree):
        for module, names in _imports(node):
            top = module.partition(".")[0]
            if top in sys.stdlib_module_names or top == "gnomon":
                continue
            foreign.update(name.asname or name.name.partition(".")[0] for name in names)
            parts = [*module.split("."), *(name.name for name in names)]
            private = any(re.match(r"_[a-z]", part) for part in parts)
            if private or module.startswith(UNDOCUMENTED):
                yield node.lineno, f"import of {module}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if _begins_with(target, foreign):
                    yield node.lineno, f"replacement of {ast.unparse(target)}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.args[1] if node.func.id in BY_TEXT and len(node.args) > 1 else None
            if isinstance(name, ast.Constant) and re.match(r"_[a-z]", str(name.value)):
                yield node.lineno, f"{node.func.id} of {name.value!r}"


def _imports(node: ast.AST) -> Iterator[tuple[str, list[ast.alias]]]:
    if isinstance(node, ast.Import):
        yield from ((name.name, [name]) for name in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module, node.names


def _begins_with(target: ast.expr, names: set[str]) -> bool:
    """Whether this is an attribute of one of these modules or classes."""
    if not isinstance(target, ast.Attribute):
        return False
    while isinstance(target, ast.Attribute):
        target = target.value
    return isinstance(target, ast.Name) and target.id in names


@pytest.mark.parametrize("file", OUTSIDE, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_reaches_into_private_parts(file: Path) -> None:
    """Imports, replaced names and names in strings; ruff's SLF001 covers attributes."""
    reached = [f"line {line}: {what}" for line, what in reaches(ast.parse(file.read_text()))]
    assert not reached, (
        f"{file.relative_to(ROOT)} reaches into a private part of a library; do it in "
        f"src/gnomon/compat, with a test that says what a release has broken: {'; '.join(reached)}"
    )


@pytest.mark.parametrize(
    "code",
    [
        "from bentoml._internal.utils import circus",
        "import sklearn.utils._mask",
        "from sklearn.utils import _safe_indexing",
        "from uvicorn.server import ServerState",
        "def f():\n    from _bentoml_sdk import Service",
        "import sklearn.utils\nsklearn.utils.all_estimators = list",
        "from pandas import DataFrame\nDataFrame.merge = None",
        "getattr(step, '_fit_svd_solver', None)",
    ],
)
def test_a_reach_is_found(code: str) -> None:
    """The test above sees each kind."""
    assert list(reaches(ast.parse(code)))


def test_attributes_are_left_to_ruff() -> None:
    """Its rule is on, for all but the room and the tests."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "SLF" in lint["select"]
    exempt = {place for place, rules in lint["per-file-ignores"].items() if "SLF" in rules}
    assert exempt == {"src/gnomon/compat/*", "tests/*"}


def _declared() -> dict[str, str]:
    """Return the range of each dependency of ``pyproject.toml``, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [
        extra_requirement
        for extra in project["optional-dependencies"].values()
        for extra_requirement in extra
    ]
    requirements = {}
    for text in [*project["dependencies"], *extras]:
        name = re.split(r"[\[<>=!~; ]", text)[0]
        requirements[_normal(name)] = text.removeprefix(name)
    return requirements


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_what_is_imported_is_declared() -> None:
    """A package that is installed only as a dependency of another one may disappear."""
    places: dict[str, set[str]] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            for module, _ in _imports(node):
                places.setdefault(module.partition(".")[0], set()).add(str(file.relative_to(ROOT)))
    packages, declared = metadata.packages_distributions(), _declared()
    missing = {
        top: sorted(where)[:3]
        for top, where in places.items()
        if top != "gnomon"
        and top not in sys.stdlib_module_names
        and not any(_normal(name) in declared for name in packages.get(top, []))
    }
    assert not missing, f"imported, and not in pyproject.toml: {missing}"


def test_every_package_of_the_room_has_an_upper_bound() -> None:
    """The last release that was tested; each has its own test."""
    declared = _declared()
    files = {file.stem for file in COMPAT.glob("*.py")} - {"__init__"}
    for stem, package in FILES.items():
        assert stem in files
        assert "<" in declared[package], f"{package} has no upper bound in pyproject.toml"
        assert (Path(__file__).parent / f"test_{stem}.py").exists()


@pytest.mark.parametrize("package", FILES.values())
def test_what_is_installed_is_in_range(package: str) -> None:
    """Otherwise these tests say nothing about the declared range."""
    installed = tuple(int(part) for part in re.findall(r"\d+", metadata.version(package))[:3])
    for sign, bound in re.findall(r"(>=|<)([\d.]+)", _declared()[package]):
        limit = tuple(int(part) for part in bound.split("."))
        assert installed >= limit if sign == ">=" else installed < limit, (
            f"{package} {metadata.version(package)} is outside {_declared()[package]}"
        )
