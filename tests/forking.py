"""Python processes that start in no time: forked from one that has imported the large libraries.

Each is a process of its own, with its own folder, environment, output and exit code, and so is each
that it starts in turn: a whole deployment (supervisor, gateways, workers, codec, sealer) is served
by forked processes. What they do not do is import BentoML, pandas and scikit-learn for another
second or two. See :mod:`tests.fork_server`.

A room whose tests are not of how processes start imports :func:`forked_children` in its
``conftest.py``. Where the import, or the start of the interpreter, is what is tested, a test uses
:func:`fresh_children`. Each room keeps a test of new interpreters, or an import that is missing in
a real start would not be noticed.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess

import psutil
import pytest

from tests import fork_server
from tests.fork_server import NEW_INTERPRETER, Popen


def run_python(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float = 120
) -> CompletedProcess[str]:
    """As ``subprocess.run([sys.executable, *arguments], capture_output=True, text=True)``.

    Args:
        arguments: ``-m MODULE``, ``-c CODE`` or ``FILE``, and the arguments of that.
        cwd: where it runs.
        env: its whole environment.
        timeout: seconds after which it is killed.

    Raises:
        AssertionError: it was killed.
    """
    process = start_python(
        arguments, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(
                f"{arguments} took longer than {timeout:g} s:\n{out}{err}"
            ) from None
    return CompletedProcess([sys.executable, *arguments], process.returncode, out, err)


def start_python(
    arguments: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
) -> subprocess.Popen[str]:
    """Do the same as ``subprocess.Popen([sys.executable, *arguments], text=True)``."""
    Popen.start_server()
    return Popen(
        [sys.executable, *arguments],
        cwd=cwd,
        env=None if env is None else dict(env),
        stdout=stdout,
        stderr=stderr,
        text=True,
    )


def fork_children(patch: pytest.MonkeyPatch | None = None, forks: type[Popen] = Popen) -> None:
    """See :func:`forked_children`; to the end of this process where no ``patch`` ends it."""
    forks.start_server()
    patch = patch or pytest.MonkeyPatch()
    patch.setattr(subprocess, "Popen", forks)
    patch.setattr(sys.modules[__name__], "Popen", forks)


@pytest.fixture(scope="module", autouse=True)
def forked_children() -> Iterator[None]:
    """Interpreters that these tests start, and those that are started by them, are forked."""
    with pytest.MonkeyPatch.context() as patch:
        fork_children(patch)
        yield


@pytest.fixture
def fresh_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """New interpreters after all, for one test whose room has :func:`forked_children`."""
    monkeypatch.setattr(subprocess, "Popen", NEW_INTERPRETER)


def children_of(process: psutil.Process, *, recursive: bool = False) -> list[psutil.Process]:
    """Return ``process.children()`` without fork servers, which are no part of what is tested."""
    found = []
    for child in process.children(recursive=recursive):
        with contextlib.suppress(psutil.NoSuchProcess):
            if fork_server.__file__ not in child.cmdline():
                found.append(child)
    return found
