"""Python processes without the seconds of their imports: forked from one that has imported.

:class:`Popen` takes the place of ``subprocess.Popen``. Where it is asked for this interpreter, a
*fork server* forks instead: a process that has imported BentoML, pandas, scikit-learn and Gnomon,
and does nothing else. What comes of it is what ``subprocess`` would have made, without the imports:
a child of the process that asked (``CLONE_PARENT``), so it can be waited for, and the kernel tells
it of its parent's end; with its own folder, environment, descriptors, session, limits, niceness and
command line. A process that starts others in turn, as the supervisor of a deployment and its
gateways do, has a fork server of its own, made before anything else in it.

What a process reads once, as it starts or imports, is what the fork server has read. Where these
variables are others (:data:`READ_ONCE`), or options other than ``-P``, ``-I`` and ``-u`` are given,
a new interpreter is started.

Also run as a script, which is the fork server. It is one file that imports nothing of the tests:
an artifact may carry modules of them, and is to run its own copies.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib
import io
import logging.config
import os
import pickle
import platform
import resource
import runpy
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, NoReturn

PRELOADED = (
    "skops.io",
    "bentoml_cli.cli",
    "_bentoml_impl.client.proxy2",
    "_bentoml_impl.loader",
    "_bentoml_impl.server.allocator",
    "_bentoml_impl.server.serving",
    "_bentoml_impl.worker.service",
    "aiohttp",
    "bentoml._internal.configuration.v2",
    "bentoml._internal.marshal.dispatcher",
    "bentoml._internal.runner.container",
    "bentoml._internal.utils.circus",
    "bentoml.serving",
    "circus.sockets",
    "duckdb",
    "gnomon.artifact.fresh_process",
    "gnomon.artifact.loading",
    "gnomon.artifact.packing",
    "gnomon.cli.app",
    "gnomon.log",
    "gnomon.log.seal",
    "gnomon.api.decisions",
    "gnomon.api.data_checks",
    "gnomon.api.queries",
    "gnomon.service.lane.codec_process",
    "gnomon.service.deployment",
    "gnomon.service.supervision",
    "gnomon.shadow.feed.process",
    "gnomon.skew.replay",
    "gnomon.worker.process",
    "opentelemetry.instrumentation.asgi",
    "opentelemetry.sdk.trace.export",
    "pandas",
    "pyarrow.pandas_compat",
    "pynvml",
    "pyparsing",
    "rich.table",
    "sklearn.compose",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "starlette.staticfiles",
    "tornado.platform.asyncio",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "wsgiref.simple_server",
)
"""What most processes need; skops first, as it looks through every module there is for the names of
some thousand functions. Not ``deltalake``, which starts a thread, nor ``prometheus_client``, which
reads where its files go as it is imported. BentoML reads its home later, when it is first asked
for; :func:`_preload` sees to it."""

STARTERS = (
    *("bentoml", "_bentoml_impl.worker.service", "gnomon", "gnomon.shadow.feed"),
    *("models.train", "pack.py", "shadow.replay"),
)
"""Modules and scripts that start other interpreters when they are run; to pack is to start one.
Others start few, and new ones."""

READ_ONCE = ("GNOMON_PORTABLE", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "LD_PRELOAD")
ALLOWED = ("PYTHON", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
"""Of all ``PYTHON*``, which are read once too. ``PYTHON`` alone is a variable of ``make``."""

_THREADS = tuple(f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"))
_TITLE_BYTES = 8192
"""Room for a command line, and for an environment, taken by those of the fork server."""

_REPOSITORY = str(Path(__file__).resolve().parents[1])
_SOURCE = str(Path(_REPOSITORY, "src"))
NEW_INTERPRETER = subprocess.Popen
"""What :class:`Popen` takes the place of."""
_HEAD = struct.Struct("!QB")
_REPLY = struct.Struct("!q")
_CLONE_PARENT, _CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x8000, 0x200000, 0x1000000
_PR_SET_PDEATHSIG, _PR_GET_TID_ADDRESS = 1, 40
_CLONE = {"x86_64": 56, "aarch64": 220}


@dataclass(frozen=True)
class Job:
    """What a new process is to become.

    Attributes:
        isolated: whether ``-I`` was given.
        safe: whether the folder stays off the path, ``-P``.
        words: ``-m MODULE``, ``-c CODE`` or a file, and the arguments of that.
        command: the command line to show.
        targets: the numbers of the descriptors that are handed to it.
    """

    isolated: bool
    safe: bool
    words: tuple[str, ...]
    command: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    targets: tuple[int, ...]
    new_session: bool
    group: int
    umask: int
    niceness: int
    oom_score: str
    limits: dict[int, tuple[int, int]]


class Popen(subprocess.Popen):  # type: ignore[type-arg]
    """``subprocess.Popen`` that forks where this interpreter is to run; see the module."""

    _server: socket.socket | None = None
    _environment: dict[str, str] | None = None
    _variables: ClassVar[dict[str, str]] = {}
    _owner = 0
    _is_first = False
    _asking = threading.Lock()

    @classmethod
    def start_server(cls) -> None:
        """Start this process's fork server, if it has none. To be called in its main thread."""
        if cls._owner == os.getpid() or not _can_fork():
            return
        ours, theirs = socket.socketpair()
        with theirs:
            environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
            environment |= dict.fromkeys(_THREADS, "1")
            environment["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
            environment.pop("GNOMON_PORTABLE", None)
            environment |= cls._variables
            environment["ROOM"] = "-" * _TITLE_BYTES
            command = [sys.executable, "-P", __file__, str(theirs.fileno()), "-" * _TITLE_BYTES]
            server = NEW_INTERPRETER(
                command, pass_fds=[theirs.fileno()], env=environment, cwd=_REPOSITORY
            )
        cls.use(ours, environment)
        cls._is_first = True
        atexit.register(cls._end_server, os.getpid(), server)

    @classmethod
    def _end_server(cls, owner: int, server: subprocess.Popen[bytes]) -> None:
        if owner == os.getpid() and cls._server is not None:
            cls._server.close()
            server.wait()

    @classmethod
    def use(cls, server: socket.socket, environment: dict[str, str]) -> None:
        """Ask the fork server behind a socket, which has this environment."""
        cls._server, cls._environment, cls._owner = server, environment, os.getpid()

    def _execute_child(self, *given: Any) -> None:
        (
            args, executable, preexec_fn, close_fds, pass_fds, cwd, env, _, _, shell,
            p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, _, *ids, new_session, group,
        ) = given  # fmt: skip
        environment = dict(os.environ if env is None else env)
        folder = os.fspath(cwd or os.getcwd())
        by_circus = getattr(preexec_fn, "__module__", None) == "circus.process"
        is_plain = not shell and not isinstance(args, str | bytes) and executable is None
        parsed = _parsed([*args]) if is_plain else None
        if (
            parsed is None
            or (preexec_fn is not None and not by_circus)
            or any(number not in (None, -1) for number in (*ids, group))
            or type(self)._owner != os.getpid()
            or not _is_as_read(environment, type(self)._environment or {})
            or not os.path.isdir(folder)
        ):
            super()._execute_child(*given)  # type: ignore[misc]
            return
        isolated, safe, words = parsed
        with contextlib.ExitStack() as opened:
            nowhere = opened.enter_context(open(os.devnull, "rb")).fileno() if by_circus else 0
            kept = sorted(pass_fds) if close_fds else _inheritable()
            descriptors = {
                0: nowhere if p2cread == -1 else p2cread,
                1: 1 if c2pwrite == -1 else c2pwrite,
                2: 2 if errwrite == -1 else errwrite,
                **{number: number for number in kept if number > 2},
            }
            job = Job(
                isolated, safe, words, tuple(map(os.fspath, args)), folder, environment,
                tuple(descriptors), bool(new_session or by_circus), os.getpgrp(), *_own(),
            )  # fmt: skip
            try:
                self.pid = self._ask(job, [*descriptors.values()])
            except (EOFError, ConnectionError):
                if type(self)._is_first:
                    raise
                # It has been killed, as it is one of the processes of a server.
                super()._execute_child(*given)  # type: ignore[misc]
                return
        self._child_created = True
        self._close_pipe_fds(  # type: ignore[attr-defined]
            p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite
        )

    @classmethod
    def _ask(cls, job: Job, descriptors: list[int]) -> int:
        server, asked = cls._server, pickle.dumps(vars(job))
        assert server is not None
        with cls._asking:
            socket.send_fds(server, [_HEAD.pack(len(asked), len(descriptors))], descriptors)
            server.sendall(asked)
            pid: int
            (pid,) = _REPLY.unpack(_exactly(server, _REPLY.size))
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        return pid


class PortablePopen(Popen):
    """Forks where ``GNOMON_PORTABLE=1`` is set, which is read as Gnomon is imported."""

    _owner = 0
    _variables: ClassVar[dict[str, str]] = {"GNOMON_PORTABLE": "1"}


def _can_fork() -> bool:
    return sys.platform == "linux" and platform.machine() in _CLONE


def _parsed(args: list[Any]) -> tuple[bool, bool, tuple[str, ...]] | None:
    """Whether isolated, whether on a safe path, and the words of an interpreter's command; None
    where it is for a new one."""
    if args[0] != sys.executable:
        return None
    options, words = set(), [os.fspath(arg) for arg in args[1:]]
    while words and words[0] in ("-I", "-P", "-u"):
        options.add(words.pop(0))
    if not words or (words[0].startswith("-") and words[0] not in ("-m", "-c")):
        return None
    return "-I" in options, "-P" in options, tuple(words)


def _is_as_read(environment: dict[str, str], read: dict[str, str]) -> bool:
    """Whether what is read once is what the fork server has read."""
    for name in {*environment, *read}:
        unset = "1" if name in _THREADS else "0"
        once = name in READ_ONCE or name.startswith("PYTHON") or name in _THREADS
        is_other = environment.get(name, unset) != read.get(name, unset)
        if once and is_other and name not in ALLOWED:
            return False
    given = environment.get("PYTHONPATH", "").split(os.pathsep)
    return all(path == _SOURCE or not os.path.exists(f"{path}/gnomon") for path in given if path)


def _inheritable() -> list[int]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.get_inheritable(int(name)):
                found.append(int(name))
    return sorted(found)


def _own() -> tuple[int, int, str, dict[int, tuple[int, int]]]:
    """What a child inherits: umask, niceness, when it is killed for memory, limits."""
    status = Path("/proc/self/status").read_text()
    umask = int(status.partition("Umask:")[2].split()[0], 8)
    score = Path("/proc/self/oom_score_adj").read_text()
    kinds = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
    limits = {kind: resource.getrlimit(kind) for kind in kinds}
    return umask, os.getpriority(os.PRIO_PROCESS, 0), score, limits


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (more := sock.recv(size - len(data))):
            raise EOFError("the fork server has ended")
        data += more
    return data


# The fork server


def main(arguments: Sequence[str]) -> NoReturn:
    """Serve until the socket closes. Goes on after it only in a process that was forked."""
    sock = socket.socket(fileno=int(arguments[0]))
    path = [*sys.path]
    environment = dict(os.environ)
    clone = _Clone()
    _preload()
    sys.modules[Popen.__module__ + "_of_fork_server"] = sys.modules["__main__"]  # Keep it.
    # Not read any more, and else it would be copied page by page as it is looked at.
    gc.collect()
    gc.freeze()
    while True:
        job, descriptors = _serve(sock, clone)
        # Before anything else, as it is to be a fork of a process in which nothing has happened.
        mine = _fork_server(job)
        if isinstance(mine, socket.socket):
            sock.close()
            for number in descriptors:
                os.close(number)
            sock = mine
            continue
        _become(job, descriptors, sock, path, mine)
        if mine is not None:
            Popen.use(socket.socket(fileno=mine), environment)
            subprocess.Popen = Popen  # type: ignore[misc]
        _run(job)


def _preload() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    assert "prometheus_client" not in sys.modules, "its files would go where no one looks"
    threads = os.listdir("/proc/self/task")
    assert len(threads) == 1, "a fork would wait for locks of a thread that it does not have"


def _serve(sock: socket.socket, clone: _Clone) -> tuple[Job, list[int]]:
    """In each process that is forked, what it is to become."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        head, descriptors, _, _ = socket.recv_fds(sock, _HEAD.size, 250)
        if not head:
            os._exit(0)
        head += _exactly(sock, _HEAD.size - len(head))
        size, count = _HEAD.unpack(head)
        assert count == len(descriptors)
        job = Job(**pickle.loads(_exactly(sock, size)))
        pid = clone()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if job.new_session:
                os.setsid()
            elif os.getpgrp() != job.group:
                with contextlib.suppress(OSError):
                    os.setpgid(0, job.group)
            sock.sendall(_REPLY.pack(os.getpid()))
            return job, descriptors
        for number in descriptors:
            os.close(number)
        if pid < 0:
            sock.sendall(_REPLY.pack(pid))


def _fork_server(job: Job) -> socket.socket | int | None:
    """Give a process that will start others a fork server: in that its socket, and in this one the
    number of the other end; None where there is none."""
    started = job.words[1] if job.words[0] == "-m" else job.words[0]
    if started not in STARTERS:
        return None
    parent = os.getpid()
    ours, theirs = socket.socketpair()
    if os.fork():
        theirs.close()
        return ours.detach()
    ours.close()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
    return theirs


class _Clone:
    """``os.fork``, but what is forked is a child of this process's parent."""

    def __init__(self) -> None:
        self._libc = ctypes.PyDLL(None, use_errno=True)
        self._libc.syscall.restype = ctypes.c_long
        tid = ctypes.c_void_p()
        self._libc.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(tid), 0, 0, 0)
        flags = _CLONE_PARENT | signal.SIGCHLD
        if tid.value:  # Where the C library keeps the number of its thread: to be the new one's.
            flags |= _CLONE_CHILD_CLEARTID | _CLONE_CHILD_SETTID
        words = [flags, 0, 0, tid.value or 0, 0]
        if platform.machine() == "aarch64":
            words[3], words[4] = words[4], words[3]
        self._words = [ctypes.c_ulong(word) for word in words]

    def __call__(self) -> int:
        """The process id of the child, 0 in the child, or minus the error's number."""
        api = ctypes.pythonapi
        number = ctypes.c_long(_CLONE[platform.machine()])
        api.PyOS_BeforeFork()
        pid: int = self._libc.syscall(number, *self._words)
        if pid == 0:
            api.PyOS_AfterFork_Child()
        else:
            api.PyOS_AfterFork_Parent()
        return pid if pid >= 0 else -ctypes.get_errno()


def _become(
    job: Job, descriptors: list[int], sock: socket.socket, path: list[str], kept: int | None
) -> None:
    """Take what the new process is given, and leave what was the fork server's."""
    for kind, limit in job.limits.items():
        if resource.getrlimit(kind) != limit:
            resource.setrlimit(kind, limit)
    sock.detach()
    _take(descriptors, job.targets, kept)
    os.umask(job.umask)
    os.setpriority(os.PRIO_PROCESS, 0, job.niceness)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(job.oom_score)
    os.chdir(job.cwd)
    os.environ.clear()
    os.environ.update(job.env)
    time.tzset()
    sys.dont_write_bytecode = bool(job.env.get("PYTHONDONTWRITEBYTECODE"))
    _show(job.command, job.env)
    sys.stdin = io.TextIOWrapper(os.fdopen(0, "rb", closefd=False), "utf-8")
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            os.fdopen(number, "wb", closefd=False), "utf-8", errors, line_buffering=True
        )
        for number, errors in ((1, "strict"), (2, "backslashreplace"))
    )
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]
    given = "" if job.isolated else job.env.get("PYTHONPATH", "")
    sys.path[:] = [*filter(None, given.split(os.pathsep)), *path]
    sys.orig_argv = [*job.command]
    importlib.invalidate_caches()


def _take(descriptors: list[int], targets: Sequence[int], kept: int | None) -> None:
    """Have no descriptors but these, under these numbers, and one that is kept."""
    free = max(*targets, *descriptors, kept or 0) + 1
    high = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, free) for number in descriptors]
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in high and int(name) != kept:
            with contextlib.suppress(OSError):
                os.close(int(name))
    if kept in targets:
        raise AssertionError("a descriptor is in the place of the fork server's")
    for number, target in zip(high, targets, strict=True):
        os.dup2(number, target)
        os.close(number)


def _show(command: Sequence[str], environment: dict[str, str]) -> None:
    """Show a command line and an environment to who looks at the processes."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    variables = [f"{name}={value}" for name, value in environment.items()]
    for words, place in ((command, 45), (variables, 47)):
        start, end = int(fields[place]), int(fields[place + 1])
        shown = b"".join(os.fsencode(word) + b"\0" for word in words)[: end - start - 1]
        ctypes.memset(start, 0, end - start)
        ctypes.memmove(start, shown, len(shown))


def _run(job: Job) -> NoReturn:
    """Run what was asked for, and end as an interpreter does."""
    code: Any = 0
    try:
        _start(job)
    except SystemExit as error:
        code = error.code
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    for output in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            output.flush()
    os._exit((code or 0) & 0xFF)


def _start(job: Job) -> None:
    place = [] if job.safe or job.isolated else [job.cwd]
    match job.words:
        case ["-m", module, *_]:
            sys.path[:0] = place
            sys.argv = [*job.words[1:]]
            _forget(module)
            if module.startswith(("bentoml", "_bentoml")):
                _keep_loggers()
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-c", code, *more]:
            sys.path[:0] = [""] if place else []
            sys.argv = ["-c", *more]
            sys.modules["__main__"] = main = ModuleType("__main__")
            exec(code, main.__dict__)
        case _:
            file = os.path.join(job.cwd, job.words[0])
            sys.path[:0] = [os.path.dirname(file)] if place else []
            sys.argv = [*job.words]
            runpy.run_path(job.words[0], run_name="__main__")


def _keep_loggers() -> None:
    """BentoML configures logging before a deployment is imported, and so disables no logger of
    Gnomon's; nor is it to where that has been imported."""
    configure = logging.config.dictConfig

    def configured(config: dict[str, Any]) -> None:
        configure(config)
        for name, logger in logging.root.manager.loggerDict.items():
            if name.partition(".")[0] == "gnomon" and isinstance(logger, logging.Logger):
                logger.disabled = False

    logging.config.dictConfig = configured  # type: ignore[assignment]


def _forget(module: str) -> None:
    """Have the module that is run not be imported already."""
    for name in (module, f"{module}.__main__"):
        if not hasattr(sys.modules.get(name), "__path__"):
            sys.modules.pop(name, None)


if __name__ == "__main__":
    main(sys.argv[1:])
