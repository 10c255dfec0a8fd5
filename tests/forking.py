"""Python processes that start in no time: forked from one that has imported the large libraries.

Each is a process of its own, with its own folder, environment, output and exit code. What it does
not do is import pandas and scikit-learn for another second or two. Where that import, or the start
of the interpreter, is what is tested, start a new interpreter.

:func:`forked_children` has workers, and the check of what was packed, start so too. What is started
by :func:`run_python` does that by itself.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import forkserver, reduction
from multiprocessing import process as processes
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from gnomon.artifact import fresh_process
from gnomon.worker import spawn

PRELOADED = (
    "gnomon",
    "gnomon.artifact.fresh_process",
    "gnomon.artifact.loading",
    "gnomon.artifact.packing",
    "gnomon.cli.app",
    "gnomon.log",
    "gnomon.worker.process",
    "pandas",
    "rich.table",
    "sklearn.compose",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "skops.io",
    "tests.forking",
)
"""What most of them need. Not BentoML, which reads its home as it is imported."""

_REPOSITORY = str(Path(__file__).parents[1])

_PATH = tuple(path for path in sys.path if path not in ("", ".", _REPOSITORY))
"""What a new interpreter can import, before its folder and ``PYTHONPATH``."""

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
        _begin_process(process)
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


def _begin_process(process: processes.BaseProcess) -> None:
    """Start it without a look at the script that this process runs: it would run it again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "__main__", ModuleType("__main__"))
        process.start()


def _run(
    arguments: tuple[str, ...], cwd: str, env: Mapping[str, str], stdout: str, stderr: str
) -> None:
    """In the new process: become what was asked for."""
    for number, path in ((1, stdout), (2, stderr)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    _become(cwd, env)
    # The server that forked this process forks its children too. Left alone, it starts another.
    forkserver._forkserver.ensure_running = lambda: None  # type: ignore[attr-defined]
    _fork_children(pytest.MonkeyPatch())
    match arguments:
        case ["-m", module, *_]:
            sys.argv = [*arguments[1:]]
            sys.path.insert(0, cwd)
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-I", "-c", code, *more]:
            sys.argv = ["-c", *more]
            _forget_tests()
            exec(code, {"__name__": "__main__"})
        case _:
            sys.argv = [*arguments]
            sys.path.insert(0, cwd)
            runpy.run_path(arguments[0], run_name="__main__")


def _become(cwd: str, env: Mapping[str, str]) -> None:
    """Take a folder and an environment, with no more on the path than a new interpreter has."""
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(os.fdopen(number, "wb", closefd=False), "utf-8", line_buffering=True)
        for number in (1, 2)
    )
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    given = [*filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    sys.path[:] = [*given, *_PATH]


class ForkedWorker:
    """A worker forked from the process that has imported everything: see :class:`spawn.Process`.

    Args:
        arguments: of a new interpreter that would be a worker.
        env: its whole environment.
        pass_fds: the descriptor of its control socket.
    """

    def __init__(
        self, arguments: Sequence[str], *, env: Mapping[str, str], pass_fds: Sequence[int]
    ) -> None:
        (number,) = pass_fds
        with socket.socket(fileno=os.dup(number)) as control:
            handed = (control, _Descriptor(1), _Descriptor(2))
            words = [*arguments[arguments.index("gnomon.worker") + 1 :]]
            self._process = _processes.Process(
                target=_work, args=(words, words.index(str(number)), os.getcwd(), dict(env), handed)
            )
            _begin_process(self._process)
        # Else this process would wait for it as it ends, with the socket open that it waits for.
        processes._children.discard(self._process)  # type: ignore[attr-defined]

    @property
    def pid(self) -> int:
        """Its process id."""
        pid = self._process.pid
        assert pid is not None
        return pid

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("a worker", timeout or 0.0)
        return code


class _Descriptor:
    """A descriptor that a new process is handed."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _taken, (reduction.DupFd(self.number),)


def _taken(handed: Any) -> int:
    number: int = handed.detach()
    return number


def _work(
    words: list[str],
    place: int,
    cwd: str,
    env: Mapping[str, str],
    handed: tuple[socket.socket, int, int],
) -> None:
    """In the new process: become a worker."""
    control, *outputs = handed
    for number, output in zip((1, 2), outputs, strict=True):
        os.dup2(output, number)
        os.close(output)
    _become(cwd, env)
    words[place] = str(control.detach())
    sys.argv = ["gnomon.worker", *words]
    _forget_tests()
    from gnomon.worker.__main__ import main

    main()


def _forget_tests() -> None:
    """An artifact may carry modules of this repository's tests, and is to run its own copies."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]


def _start(arguments: Sequence[str], **more: Any) -> Any:
    """As ``subprocess.Popen``."""
    if [*arguments[:4]] != [sys.executable, "-P", "-m", "gnomon.worker"]:
        return subprocess.Popen(arguments, **more)
    return ForkedWorker(arguments, env=more["env"], pass_fds=more["pass_fds"])


def _check(arguments: Sequence[str], *, env: Mapping[str, str], **_: Any) -> CompletedProcess[str]:
    """As ``subprocess.run`` of an isolated interpreter."""
    kept = {name: value for name, value in env.items() if not name.startswith("PYTHON")}
    return run_python(arguments[1:], cwd=Path("/"), env=kept)


def _fork_children(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        spawn,
        "subprocess",
        SimpleNamespace(
            Popen=_start, DEVNULL=subprocess.DEVNULL, TimeoutExpired=subprocess.TimeoutExpired
        ),
    )
    patch.setattr(fresh_process, "subprocess", SimpleNamespace(run=_check))


@pytest.fixture(scope="module", autouse=True)
def forked_children() -> Iterator[None]:
    """Workers that these tests start, and what checks the artifacts they pack, are forked.

    Each is a process of its own still, and all of :mod:`gnomon.worker` runs in it. For a room whose
    tests are not of how a worker starts: import it in the room's ``conftest.py``.
    """
    with pytest.MonkeyPatch.context() as patch:
        _fork_children(patch)
        yield


@pytest.fixture
def fresh_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """New interpreters after all, for one test whose room has :func:`forked_children`."""
    for module in (spawn, fresh_process):
        monkeypatch.setattr(module, "subprocess", subprocess)
