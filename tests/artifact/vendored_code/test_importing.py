"""Vendored modules come from the artifact's own code and from nowhere else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from gnomon.artifact import Artifact
from tests.artifact.conftest import reseal

Bare = Callable[..., "subprocess.CompletedProcess[str]"]

INSTALL = """
import importlib, sys
from pathlib import Path
from gnomon.artifact import inspect
from gnomon.artifact.vendored_code.importing import VendoredCode

artifact = inspect(sys.argv[1])
VendoredCode(artifact.path, artifact.manifest).install()
"""


def test_code_that_changes_after_the_check_does_not_run(copied: Path, bare: Bare) -> None:
    """What was checked is what runs, however late it is imported."""
    script = INSTALL + (
        "(artifact.path / 'code/preprocessing/constants.py').write_text('FACTOR = 2')\n"
        "import preprocessing.constants\n"
        "print(preprocessing.constants.FACTOR)\n"
    )
    done = bare(script, copied)
    assert done.stdout == "1\n", done.stderr


def test_code_that_changes_before_it_is_read_is_refused(copied: Path, bare: Bare) -> None:
    """A file that is changed between the check and the import is refused."""
    install = "VendoredCode(artifact.path, artifact.manifest).install()"
    change = "(artifact.path / 'code/preprocessing/constants.py').write_text('FACTOR = 2')"
    done = bare(INSTALL.replace(install, f"{change}\n{install}"), copied)
    assert "constants.py is not the file that was packed" in done.stderr


def test_a_module_that_comes_after_the_check_is_not_there(copied: Path, bare: Bare) -> None:
    """New source files and compiled modules next to the checked ones are ignored."""
    script = INSTALL + (
        "(artifact.path / 'code/preprocessing/late.py').write_text('')\n"
        "(artifact.path / 'code/late.py').write_text('')\n"
        "for name in ('preprocessing.late', 'late'):\n"
        "    try:\n        importlib.import_module(name)\n"
        "    except ModuleNotFoundError as error:\n        print(error.name)\n"
    )
    assert bare(script, copied).stdout.splitlines() == ["preprocessing.late", "late"]


def test_modules_that_are_not_vendored_are_found_as_ever(packed: Artifact, bare: Bare) -> None:
    """Only the vendored names are resolved, and only by their full names."""
    script = INSTALL + (
        "import json, preprocessing.constants\n"
        "print(json.__file__.startswith(sys.argv[1]), preprocessing.constants.FACTOR)\n"
        "try:\n    import preprocessing.nothing\n"
        "except ModuleNotFoundError as error:\n    print(error.name)\n"
    )
    done = bare(script, packed.path)
    assert done.stdout.splitlines() == ["False 1", "preprocessing.nothing"], done.stderr


def test_source_is_there_for_tracebacks_and_inspect(packed: Artifact, bare: Bare) -> None:
    """A user's error shows the user's lines."""
    script = INSTALL + (
        "import inspect, preprocessing.clock\n"
        "print(inspect.getsource(preprocessing.clock.miles_to_km).splitlines()[0])\n"
    )
    assert bare(script, packed.path).stdout == "def miles_to_km(X):\n"


def test_a_late_import_cannot_reach_another_artifact(
    packed: Artifact, copied: Path, bare: Bare
) -> None:
    """A name belongs to the artifact that used it first, even before it is imported."""
    (copied / "code/preprocessing/constants.py").write_text("FACTOR = 2\n")
    reseal(copied)
    script = INSTALL + (
        "other = inspect(sys.argv[2])\n"
        "try:\n    VendoredCode(other.path, other.manifest).install()\n"
        "except Exception as error:\n    print(type(error).__name__, error.hint)\n"
    )
    done = bare(script, packed.path, copied)
    assert done.stdout.startswith("ArtifactError load it in a fresh process"), done.stderr
