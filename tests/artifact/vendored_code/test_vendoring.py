"""Which code is the user's own, and its copy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from gnomon.artifact.vendored_code.vendoring import (
    commit,
    distributions,
    find_code,
    is_installed,
    vendor,
)
from gnomon.errors import PackRefused
from tests.artifact.conftest import PREPROCESSING

Project = Callable[..., Any]

FUNCTION = "def double(X):\n    return X * 2\n"


def pipeline(*functions: Any) -> Pipeline:
    steps = [(f"step{i}", FunctionTransformer(f)) for i, f in enumerate(functions)]
    return Pipeline([*steps, ("scale", StandardScaler())])


def test_a_pipeline_of_library_classes_has_no_code() -> None:
    """Nothing is vendored that requirements.txt covers."""
    assert find_code(pipeline()) == {}


def test_a_class_brings_its_whole_package(project: Project, tmp_path: Path) -> None:
    """Every module of the package is copied and listed, including the package itself."""
    clock = project(PREPROCESSING, module="clock")
    code = find_code(pipeline(clock.HourOfDay().transform))
    modules = vendor(code, tmp_path / "code")
    assert modules == {
        "preprocessing": "preprocessing/__init__.py",
        "preprocessing.clock": "preprocessing/clock.py",
        "preprocessing.constants": "preprocessing/constants.py",
    }
    for file in modules.values():
        original = (tmp_path / "project" / file).read_bytes()
        assert (tmp_path / "code" / file).read_bytes() == original


def test_a_single_module_is_copied_with_what_it_imports(project: Project, tmp_path: Path) -> None:
    """Own modules that are imported anywhere in the source are copied too, recursively."""
    project({"__init__.py": "", "far.py": "VALUE = 3\n"}, name="distant_ones")
    project({"__init__.py": "from distant_ones.far import VALUE\n"}, name="helpers_of_mine")
    source = "def triple(X):\n    import helpers_of_mine\n    return X * helpers_of_mine.VALUE\n"
    (tmp_path / "project" / "lonely_module.py").write_text(source)
    import importlib

    lonely = importlib.import_module("lonely_module")
    code = find_code(pipeline(lonely.triple))
    assert list(code) == ["distant_ones", "helpers_of_mine", "lonely_module"]
    assert vendor(code, tmp_path / "code")["lonely_module"] == "lonely_module.py"


def test_data_beside_the_code_comes_along(project: Project, tmp_path: Path) -> None:
    """A table the package reads is copied; caches and hidden files are not."""
    module = project({"__init__.py": FUNCTION, "airports.csv": "JFK\n"}, name="with_data")
    folder = tmp_path / "project" / "with_data"
    (folder / "__pycache__").mkdir(exist_ok=True)
    (folder / "__pycache__" / "old.pyc").write_bytes(b"")
    (folder / ".secret").write_text("token")
    vendor(find_code(pipeline(module.double)), tmp_path / "code")
    names = {p.name for p in (tmp_path / "code").rglob("*") if p.is_file()}
    assert names == {"__init__.py", "airports.csv"}


def test_folders_without_init_are_packages_too(project: Project, tmp_path: Path) -> None:
    """A namespace package is listed by its folder."""
    module = project({"steps.py": FUNCTION}, name="no_init", module="steps")
    modules = vendor(find_code(pipeline(module.double)), tmp_path / "code")
    assert modules == {"no_init": "no_init/", "no_init.steps": "no_init/steps.py"}


def test_code_can_be_given(project: Project, tmp_path: Path) -> None:
    """Code that no class or import refers to is given by module, name or path."""
    module = project({"__init__.py": ""}, name="given_one")
    project({"__init__.py": ""}, name="given_two")
    project({"__init__.py": ""}, name="given_three")
    path = tmp_path / "project" / "given_three"
    assert list(find_code(pipeline(), [module, "given_two", path])) == [
        "given_one",
        "given_three",
        "given_two",
    ]


def test_code_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A path or a name in `code=` that leads nowhere is named."""
    with pytest.raises(PackRefused, match="missing"):
        find_code(pipeline(), [tmp_path / "missing"])
    with pytest.raises(PackRefused, match="no_such_module_at_all"):
        find_code(pipeline(), ["no_such_module_at_all"])


def test_a_class_without_a_file_is_refused(project: Project, tmp_path: Path) -> None:
    """Code that was deleted or typed in cannot be vendored."""
    module = project({"__init__.py": FUNCTION}, name="soon_gone")
    (tmp_path / "project" / "soon_gone" / "__init__.py").unlink()
    with pytest.raises(PackRefused, match=r"cannot find the code of `soon_gone\.double`"):
        find_code(pipeline(module.double))


def test_a_module_called_like_one_of_pythons_is_refused(project: Project) -> None:
    """A worker would import Python's module instead."""
    module = project({"__init__.py": FUNCTION}, name="tabnanny")
    with pytest.raises(PackRefused, match="your module `tabnanny` has the name of") as caught:
        find_code(pipeline(module.double))
    assert caught.value.where == module.__file__
    assert caught.value.hint == "give it another name"


def test_a_namespace_in_several_folders_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names all folders; it does not say that the package cannot be imported, because
    it can.
    """
    import importlib

    for part in ("one", "two"):
        folder = tmp_path / part / "spread_over" / part
        folder.mkdir(parents=True)
        (folder / "steps.py").write_text(FUNCTION)
        monkeypatch.syspath_prepend(tmp_path / part)
    steps = importlib.import_module("spread_over.one.steps")
    with pytest.raises(PackRefused, match="is spread over several folders") as caught:
        find_code(pipeline(steps.double))
    assert all(f"{tmp_path}/{part}/spread_over" in caught.value.message for part in ("one", "two"))
    for name in [name for name in sys.modules if name.startswith("spread_over")]:
        del sys.modules[name]


def test_a_class_of_main_is_refused() -> None:
    """The error says to move it to a module."""
    script = (
        "from sklearn.preprocessing import FunctionTransformer\n"
        "from gnomon.artifact.vendored_code.vendoring import find_code\n"
        "def double(X): return X * 2\n"
        "try: find_code(FunctionTransformer(double))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("PackRefused `double` is defined in __main__")
    assert "move it to a separate module" in done.stdout


def test_a_lambda_is_refused() -> None:
    """It has no name to load it by."""
    with pytest.raises(PackRefused, match="a lambda"):
        find_code(pipeline(lambda frame: frame))


def test_a_lambda_of_main_is_called_a_lambda() -> None:
    """In a module it would be refused again, so the first error says what to write instead."""
    script = (
        "from sklearn.preprocessing import FunctionTransformer\n"
        "from gnomon.artifact.vendored_code.vendoring import find_code\n"
        "try: find_code(FunctionTransformer(lambda X: X))\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "a lambda" in done.stdout
    assert "`def`" in done.stdout


def test_packages_of_another_environment_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `.pth` file or PYTHONPATH may put the packages of another environment on the path."""
    folder = tmp_path / "lib" / "python3" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "from_elsewhere.py").write_text(FUNCTION)
    monkeypatch.syspath_prepend(folder)
    assert is_installed("from_elsewhere")


def test_what_an_installer_recorded_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pip install --target` may put packages into the folder of the user's own code."""
    (tmp_path / "placed_there").mkdir()
    (tmp_path / "placed_there" / "__init__.py").write_text(FUNCTION)
    (tmp_path / "my_own_code.py").write_text(FUNCTION)
    info = tmp_path / "placed_there-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: placed-there\nVersion: 1.0\n")
    (info / "RECORD").write_text(
        "placed_there/__init__.py,,\nplaced_there-1.0.dist-info/RECORD,,\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert is_installed("placed_there")
    assert not is_installed("my_own_code")


def test_a_function_inside_a_function_is_refused() -> None:
    """It cannot be imported."""

    def inner(X: Any) -> Any:  # noqa: N803
        return X

    with pytest.raises(PackRefused, match="defined inside a function"):
        find_code(pipeline(inner))


def test_what_cannot_be_stored_is_refused() -> None:
    """A generator in a fitted step is not a pipeline's state."""
    step = StandardScaler()
    step.lines = (line for line in ["a"])
    with pytest.raises(PackRefused, match="cannot be stored"):
        find_code(step)


def test_a_compiled_module_is_refused(project: Project, tmp_path: Path) -> None:
    """It runs on one platform only, so it must be installed instead."""
    module = project({"__init__.py": FUNCTION, "fast.so": ""}, name="compiled_one")
    with pytest.raises(PackRefused, match=r"fast\.so"):
        vendor(find_code(pipeline(module.double)), tmp_path / "code")


@pytest.mark.parametrize(
    ("name", "installed"),
    [("json", True), ("numpy.linalg", True), ("gnomon.artifact", True), ("tests.artifact", False)],
)
def test_what_counts_as_installed(name: str, installed: bool) -> None:
    """Python's own, installed packages and Gnomon; not what lies in a checkout."""
    assert is_installed(name) is installed


def test_distributions_of_imports_are_required(project: Project, tmp_path: Path) -> None:
    """What the code imports and what the types come from is listed by its package's name."""
    module = project({"__init__.py": f"import httpx\n{FUNCTION}"}, name="imports_httpx")
    code = find_code(pipeline(module.double))
    assert distributions(code, ["sklearn.pipeline.Pipeline"]) == {"httpx", "scikit-learn"}


def test_the_commit_of_the_code(tmp_path: Path) -> None:
    """It is the repository's head, and whether there are changes on top of it."""
    (tmp_path / "module.py").write_text("A = 1\n")
    assert commit([tmp_path / "module.py"]) == (None, None)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert commit([tmp_path / "module.py"]) == (head, False)
    (tmp_path / "module.py").write_text("A = 2\n")
    assert commit([tmp_path / "module.py"]) == (head, True)
