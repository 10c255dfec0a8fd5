"""A notebook packs, loads what it packed, and continues: identical code is shared, other code is
refused.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

import gnomon
from gnomon.artifact.vendored_code.imported_code import (
    changed_since_import,
    codes_of,
    edited_since_import,
)
from gnomon.errors import ArtifactError
from tests.artifact.conftest import PREPROCESSING, build, flights

Project = Callable[..., Any]


@pytest.fixture
def clock(project: Project, home: Path) -> Any:
    """The user's own module, imported."""
    return project(PREPROCESSING, module="clock")


def packed(clock: Any, version: str = "first") -> gnomon.Artifact:
    """An artifact of this process's own modules."""
    frame, late = flights()
    pipeline = build(clock, LogisticRegression(random_state=7)).fit(frame, late)
    return gnomon.pack("flights", pipeline, frame, late, version=version, leakage="off")


def edited(module: Any, old: str, new: str) -> Path:
    """The file of a module, after an edit."""
    file = Path(module.__file__)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new) + f"# {new}\n")  # its size tells it from the compiled
    return file


def test_a_notebook_loads_what_it_packed(clock: Any) -> None:
    """The imported module is the same code: its classes are those of the loaded pipeline."""
    frame, _ = flights()
    loaded = gnomon.load(packed(clock).tag)
    step = loaded.pipeline[0].named_transformers_["hour"]
    assert type(step) is clock.HourOfDay
    assert loaded.predict(frame).num_rows == len(frame)


@pytest.mark.slow
def test_two_versions_of_the_same_code_load_side_by_side(clock: Any) -> None:
    """A model that was trained again brings the same modules."""
    tags = [packed(clock, version).tag for version in ("first", "second")]
    frame, _ = flights()
    first, second = (gnomon.load(tag).predict(frame) for tag in tags)
    assert first.equals(second)


def test_code_edited_since_packing_is_refused_with_the_file(clock: Any) -> None:
    """The file differs from the artifact's copy, so the imported module may."""
    tag = packed(clock).tag
    file = edited(clock, "1.609344", "1.6")
    with pytest.raises(ArtifactError, match=f"from {file}, which differs from it") as caught:
        gnomon.load(tag)
    assert "restarted notebook" in str(caught.value.hint)


@pytest.mark.slow
def test_code_edited_and_packed_elsewhere_is_not_taken_for_the_imported(clock: Any) -> None:
    """The file equals the artifact's, but what is in memory was compiled before."""
    before = Path(clock.__file__).read_text()
    tag = packed(clock).tag
    edited(clock, "1.609344", "1.6")
    importlib.reload(clock)
    Path(clock.__file__).write_text(before)
    with pytest.raises(ArtifactError, match="`miles_to_km` is not the artifact's: it was edited"):
        gnomon.load(tag)


@pytest.mark.slow
def test_what_was_loaded_does_not_run_code_that_is_imported_again(clock: Any) -> None:
    """After an edit and a reload, the earlier artifact is refused and the new one loads."""
    first = gnomon.load(packed(clock).tag)
    edited(clock, "1.609344", "1.6")
    importlib.reload(clock)
    assert "1.6\n" in Path(clock.__file__).read_text()
    assert clock.miles_to_km(1) == 1.6, "the user's own file, and not the artifact's copy"
    with pytest.raises(ArtifactError, match="edited"):
        first.predict(flights()[0])
    second = gnomon.load(packed(clock, "second").tag)
    assert second.predict(flights()[0]).num_rows


def test_a_module_that_is_imported_later_is_the_same_or_refused(
    project: Project, home: Path
) -> None:
    """Modules that the pipeline imports while predicting come from the artifact, or the import
    fails.
    """
    files = {**PREPROCESSING, "late.py": "KIND = 'packed'\n", "later.py": "KIND = 'packed'\n"}
    clock = project(files, module="clock")
    gnomon.load(packed(clock).tag)
    folder = Path(clock.__file__).parent
    late = importlib.import_module("preprocessing.late")
    assert (late.KIND, late.__file__) == ("packed", str(folder / "late.py"))
    (folder / "later.py").write_text("KIND = 'edited'\n")
    with pytest.raises(ImportError, match=r"later\.py, which differs"):
        importlib.import_module("preprocessing.later")
    (folder / "new.py").write_text("KIND = 'new'\n")
    importlib.invalidate_caches()
    assert importlib.import_module("preprocessing.new").KIND == "new"


@pytest.mark.slow
def test_data_beside_the_code_is_part_of_it(project: Project, home: Path) -> None:
    """A file that a module opens beside itself is compared as well."""
    clock = project({**PREPROCESSING, "table.csv": "a,b\n"}, module="clock")
    tag = packed(clock).tag
    gnomon.load(tag)
    Path(clock.__file__).with_name("table.csv").write_text("a,c\n")
    sys.meta_path[:] = [one for one in sys.meta_path if type(one).__name__ != "VendoredCode"]
    with pytest.raises(ArtifactError, match=r"table\.csv, which differs from it"):
        gnomon.load(tag)


MODULE = """
import functools

def doubled(function):
    @functools.wraps(function)
    def wrapper(value):
        return 2 * function(value)
    return wrapper

@doubled
def wrapped(value):
    return value + {one}

class Kind:
    def method(self):
        return {two}
    @property
    def prop(self):
        return {three}
    @functools.cached_property
    def kept(self):
        return {four}
    @staticmethod
    def static():
        return {five}
    class Inner:
        def method(self):
            return {six}
"""


@pytest.mark.parametrize("number", range(7))
def test_an_edit_is_found_wherever_it_is(number: int) -> None:
    """Edits of a decorated function, a method, a property, a static method and an inner class
    are found.
    """
    names = ("one", "two", "three", "four", "five", "six")
    values = dict.fromkeys(names, 1)
    module = ModuleType("kinds")
    module.__file__ = "kinds.py"
    code = compile(MODULE.format(**values), "kinds.py", "exec", dont_inherit=True)
    exec(code, vars(module))
    for name in names[number : number + 1]:
        values[name] = 2
    found = edited_since_import(module, codes_of(MODULE.format(**values).encode(), "kinds.py"))
    where = (
        "wrapped",
        *(f"Kind.{n}" for n in ("method", "prop", "kept", "static", "Inner.method")),
    )
    assert found == (None if number == len(names) else where[number])


CHANGEABLE = """
LIMIT = 5
NAMES = ("a", "b")
CACHE = {}
counted = 0
choice = "x"
if LIMIT > 9:
    choice = "y"

def doubled(value):
    return 2 * value

def halved(value):
    return value / 2

def count():
    global counted
    counted += 1

class Kind:
    factor = 2
    def method(self, value):
        return value
"""


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("CACHE['a'] = 1; count(); choice = 'z'", None),
        ("LIMIT = 6", "LIMIT"),
        ("LIMIT = 5.0", "LIMIT"),
        ("NAMES = ('a',)", "NAMES"),
        ("del LIMIT", "LIMIT"),
        ("doubled = lambda value: 3 * value", "doubled"),
        ("doubled = halved", "doubled"),
        ("doubled = functools.partial(doubled, 3)", "doubled"),
        ("doubled = functools.wraps(doubled)(lambda value: doubled(value))", None),
        ("Kind = type('Kind', (Kind,), {})", "Kind"),
        ("Kind.method = lambda self, value: 0", "Kind"),
    ],
)
def test_a_change_in_memory_is_found(change: str, found: str | None) -> None:
    """The file and its functions equal the artifact's, but the module's attribute was replaced.

    A wrapper that names what it wraps is treated as a decorator.
    """
    module = ModuleType("changeable")
    module.__file__ = "changeable.py"
    code = compile(CHANGEABLE, "changeable.py", "exec", dont_inherit=True)
    exec(code, vars(module))
    codes = codes_of(CHANGEABLE.encode(), "changeable.py")
    assert changed_since_import(module, CHANGEABLE.encode(), codes) is None
    exec(f"import functools\n{change}", {"__name__": "notebook"} | vars(module), vars(module))
    assert changed_since_import(module, CHANGEABLE.encode(), codes) == found


@pytest.mark.slow
def test_a_function_that_was_replaced_since_packing_is_refused(
    clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if no golden row would show it."""
    tag = packed(clock).tag
    monkeypatch.setattr(clock, "miles_to_km", lambda frame: frame * 1.609344)
    with pytest.raises(ArtifactError, match="`miles_to_km` was replaced in this process"):
        gnomon.load(tag)
