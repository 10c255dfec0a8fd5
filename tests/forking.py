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
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import forkserver, reduction
from multiprocessing import process as processes
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryFile
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from gnomon.artifact import fresh_process
from gnomon.compat import platform
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


_starting = threading.Lock()


class Forked:
    """A process that was forked; as much of ``subprocess.Popen`` as those who start one need."""

    def __init__(self, target: Callable[..., None], *arguments: Any) -> None:
        self._process = _processes.Process(target=target, args=arguments)
        # Without a look at the script that this process runs: it would run it again.
        with _starting, pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, "__main__", ModuleType("__main__"))
            patch.delenv(platform.VARIABLE, raising=False)  # What is preloaded has read it.
            if forkserver._forkserver._forkserver_pid is None:  # type: ignore[attr-defined]
                patch.chdir(_REPOSITORY)  # From anywhere else it would not find these tests.
            self._process.start()
        # Else this process would wait for it as it ends, and it perhaps for this one's sockets.
        processes._children.discard(self._process)  # type: ignore[attr-defined]

    @property
    def pid(self) -> int:
        """Its process id."""
        pid = self._process.pid
        assert pid is not None
        return pid

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
        return code


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
    if _is_portable(env):
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=cwd, env=env, timeout=timeout, capture_output=True, text=True, check=False
        )
    with TemporaryFile() as stdout, TemporaryFile() as stderr:
        process = start_python(
            arguments, cwd=cwd, env=env, stdout=stdout.fileno(), stderr=stderr.fileno()
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = None
        for output in (stdout, stderr):
            output.seek(0)
        out, err = (output.read().decode() for output in (stdout, stderr))
    assert code is not None, f"{arguments} took longer than {timeout:g} s:\n{out}{err}"
    return CompletedProcess([sys.executable, *arguments], code, out, err)


def _is_portable(env: Mapping[str, str]) -> bool:
    """Whether a process must be a new interpreter, as what is preloaded has read the variable."""
    return env.get(platform.VARIABLE, "0") not in ("", "0")


def start_python(
    arguments: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int = 1,
    stderr: int = 2,
) -> Forked:
    """As ``subprocess.Popen([sys.executable, *arguments])``; outputs are descriptors."""
    assert not _is_portable(os.environ if env is None else env)
    return Forked(
        _run,
        tuple(arguments),
        str(cwd or os.getcwd()),
        dict(os.environ if env is None else env),
        _Descriptor(stdout),
        _Descriptor(stderr),
    )


def _run(
    arguments: tuple[str, ...], cwd: str, env: Mapping[str, str], stdout: int, stderr: int
) -> None:
    """In the new process: become what was asked for."""
    _become(cwd, env, stdout, stderr)
    # The server that forked this process forks its children too. Left alone, it starts another.
    patch = pytest.MonkeyPatch()
    patch.setattr(forkserver._forkserver, "ensure_running", lambda: None)
    fork_children(patch)
    match arguments:
        case ["-m", module, *_]:
            sys.argv = [*arguments[1:]]
            sys.path.insert(0, cwd)
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-I", "-c", code, *more]:
            sys.argv = ["-c", *more]
            _forget_tests()
            exec(code, {"__name__": "__main__"})
        case ["-c", code, *more]:
            sys.argv = ["-c", *more]
            sys.path.insert(0, cwd)
            exec(code, {"__name__": "__main__"})
        case _:
            sys.argv = [*arguments]
            sys.path.insert(0, cwd)
            runpy.run_path(arguments[0], run_name="__main__")


def _become(cwd: str, env: Mapping[str, str], stdout: int, stderr: int) -> None:
    """Take outputs, a folder and an environment, with no more on the path than a new interpreter
    has."""
    for number, output in ((1, stdout), (2, stderr)):
        os.dup2(output, number)
        os.close(output)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(os.fdopen(number, "wb", closefd=False), "utf-8", line_buffering=True)
        for number in (1, 2)
    )
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    given = [*filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    sys.path[:] = [*given, *_PATH]


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
    control: socket.socket,
    stdout: int,
    stderr: int,
) -> None:
    """In the new process: become a worker."""
    _become(cwd, env, stdout, stderr)
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
    """As ``subprocess.Popen``: forks what is to be a worker."""
    is_worker = [*arguments[:4]] == [sys.executable, "-P", "-m", "gnomon.worker"]
    if not is_worker or _is_portable(more["env"]):
        return subprocess.Popen(arguments, **more)
    (number,) = more["pass_fds"]
    words = [*arguments[4:]]
    place, outputs = words.index(str(number)), (_Descriptor(1), _Descriptor(2))
    with socket.socket(fileno=os.dup(number)) as control:
        return Forked(_work, words, place, os.getcwd(), dict(more["env"]), control, *outputs)


def _check(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: str, **_: Any
) -> CompletedProcess[str]:
    """As ``subprocess.run`` of an isolated interpreter."""
    kept = {name: value for name, value in env.items() if not name.startswith("PYTHON")}
    return run_python(arguments[1:], cwd=Path(cwd), env=kept)


def fork_children(patch: pytest.MonkeyPatch | None = None) -> None:
    """See :func:`forked_children`; to the end of this process where no ``patch`` ends it."""
    patch = patch or pytest.MonkeyPatch()
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
        fork_children(patch)
        yield


@pytest.fixture
def fresh_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """New interpreters after all, for one test whose room has :func:`forked_children`."""
    for module in (spawn, fresh_process):
        monkeypatch.setattr(module, "subprocess", subprocess)


class ForkedModule(Forked):
    """``python -m MODULE ARGUMENTS... FD``, where FD is a socket, as ``subprocess.Popen`` has it.

    Args:
        module: what it runs.
        arguments: all but the last.
        sock: the socket it is handed.
        env: its whole environment.
        said: the file for all it prints.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        sock: socket.socket,
        *,
        env: Mapping[str, str],
        said: Path,
    ) -> None:
        words = ("-m", module, *arguments)
        with said.open("ab") as output:
            outputs = _Descriptor(output.fileno()), _Descriptor(output.fileno())
            super().__init__(_run_module, words, sock, dict(env), *outputs)

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.exitcode


def _run_module(
    words: tuple[str, ...], sock: socket.socket, env: Mapping[str, str], stdout: int, stderr: int
) -> None:
    _run((*words, str(sock.detach())), os.getcwd(), env, stdout, stderr)
