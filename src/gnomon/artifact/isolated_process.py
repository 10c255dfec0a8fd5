"""A new interpreter that sees only installed packages, to load an artifact in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gnomon.artifact.vendored_code.installed_packages import holds_packages

__all__ = ["run_isolated"]

_START = """\
import gc, importlib, json, sys
gc.disable()
sys.path += [path for path in sys.argv[3:] if path not in sys.path]
importlib.import_module(sys.argv[1]).main(*json.loads(sys.argv[2]))
"""


def run_isolated(
    module: str, arguments: Sequence[str], environment: dict[str, str], working_directory: str
) -> subprocess.CompletedProcess[str]:
    """Call ``main`` of a module of Gnomon in a new interpreter that can import only packages.

    Neither the working directory nor ``PYTHONPATH`` nor the user's own packages are on its path.
    """
    source = str(Path(__file__).parents[2])
    installed = [os.path.abspath(path) for path in sys.path if holds_packages(path)]
    given = msgspec.json.encode(arguments).decode()
    return subprocess.run(
        [sys.executable, "-I", "-c", _START, module, given, source, *installed],
        env=environment,
        cwd=working_directory,
        capture_output=True,
        text=True,
        check=False,
    )
