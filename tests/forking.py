"""Python processes that start in no time: forked from one that has imported the large libraries.

Each is a process of its own, with its own folder, environment, output and exit code. What it does
not do is import pandas and scikit-learn for another second or two. Where that import, or the start
of the interpreter, is what is tested, start a new interpreter.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

PRELOADED = (
    "gnomon",
    "gnomon.artifact.packing",
    "gnomon.cli.app",
    "gnomon.log",
    "pandas",
    "rich.table",
    "skops.io",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "tests.forking",
)
"""What most of them need. Not BentoML, which reads its home as it is imported."""

_REPOSITORY = str(Path(__file__).parents[1])

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(list(PRELOADED))


def run_python(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float = 120
) -> CompletedProcess[str]:
    """As ``subprocess.run([sys.executable, *arguments], capture_output=True, text=True)``.

    Args:
        arguments: ``-m MODULE`` or ``FILE``, and the arguments of that.
        cwd: where it runs.
        env: its whole environment.
        timeout: seconds after which it is killed.

    Raises:
        AssertionError: it was killed.
    """
    with TemporaryDirectory() as folder:
        outputs = [Path(folder) / name for name in ("stdout", "stderr")]
        process = _processes.Process(
            target=_run, args=(tuple(arguments), str(cwd), dict(env), *map(str, outputs))
        )
        process.start()
        process.join(timeout)
        late = process.is_alive()
        if late:
            process.kill()
            process.join()
        out, err = (output.read_text() if output.exists() else "" for output in outputs)
        assert not late, f"{arguments} took longer than {timeout:g} s:\n{out}{err}"
        code = process.exitcode
        process.close()
    assert code is not None
    return CompletedProcess([sys.executable, *arguments], code, out, err)


def _run(
    arguments: tuple[str, ...], cwd: str, env: Mapping[str, str], stdout: str, stderr: str
) -> None:
    """In the new process: become what was asked for."""
    for number, path in ((1, stdout), (2, stderr)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(os.fdopen(number, "wb", closefd=False), "utf-8", line_buffering=True)
        for number in (1, 2)
    )
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    here = [cwd, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    sys.path[:] = [*here, *(path for path in sys.path if path not in ("", ".", _REPOSITORY))]
    if arguments[0] == "-m":
        sys.argv = [arguments[1], *arguments[2:]]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(arguments)
        runpy.run_path(arguments[0], run_name="__main__")
