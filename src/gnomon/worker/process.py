"""The worker process: ``python -m gnomon.worker ARTIFACT DIGEST CONTROL_FD [unverified]``.

The process that is started, the *holder*, checks and loads the artifact and never predicts. It
forks once to verify the golden rows, then forks a *scorer* that serves. When the scorer dies, a
fork of the holder takes its place in milliseconds, with the artifact already in memory: the warm
start. The holder keeps no threads and never enters OpenMP, whose pools do not survive a fork.

All ignore SIGTERM and SIGINT, which process managers send to all processes of a tree, and end when
their sockets close: a worker must stay until its gateway has sent all its answers. If they hang or
are stopped, the kernel ends a scorer with its holder, and a holder with the process that started it
or, if it is to outlive that process (:mod:`gnomon.worker.adopted_process`), with the last process
that has its tether.

``GNOMON_WORKER_BYTES`` limits the memory of a scorer. A scorer that runs out of it ends, and a new
one starts without the leaked memory.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from gnomon.artifact import LoadedArtifact, load
from gnomon.compat import platform
from gnomon.compat.platform import die_with_parent
from gnomon.compat.skops import import_without_estimators
from gnomon.errors import GnomonError, GoldenMismatch, WorkerError
from gnomon.files import apply_umask
from gnomon.pipeline.error_text import error_kind, error_text
from gnomon.printable import guard_process
from gnomon.settings import Settings
from gnomon.worker import messages
from gnomon.worker.engine import Engine
from gnomon.worker.memory_limit import OUT_OF_MEMORY, limit_memory, ran_out
from gnomon.worker.spawn import UNVERIFIED, inherited

__all__ = ["main"]


def main() -> None:
    """Load the artifact, fork scorers, and end when the control socket closes."""
    artifact, digest = Path(sys.argv[1]), sys.argv[2]
    control = socket.socket(fileno=inherited(sys.argv[3]))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.setpgid(0, 0)  # User code that signals its process group would reach the gateway.
    die_with_parent(os.getppid())
    guard_process()
    settings = Settings.read()
    apply_umask(settings.file_umask)
    import_without_estimators()
    try:
        loaded = load(artifact, verify=False, digest=digest)
    except GnomonError as error:
        messages.send_event(control, messages.Refused.of(error))
        return
    except Exception as error:
        refusal = WorkerError(
            f"loading the artifact raised {error_kind(error)}: {error_text(error)}",
            where=str(artifact),
        )
        messages.send_event(control, messages.Refused.of(refusal))
        return
    platform.outlive_socket(control)
    gc.freeze()
    gc.enable()
    if UNVERIFIED in sys.argv[4:] or verified(loaded, control, settings.worker_bytes):
        hold(loaded, control, settings)


def verified(loaded: LoadedArtifact, control: socket.socket, most: int) -> bool:
    """Run the golden rows in a fork; tell the client if they give other answers than recorded.

    A verification that is killed is tried once more, so that no artifact is refused because of a
    stray signal.
    """
    for _ in range(2):
        pid = _fork(lambda: _verify(loaded, control, most))
        reason = _wait(pid, control).reason
        if reason == _DONE:
            return True
        if reason in (None, _REFUSED):
            return False
    died = GoldenMismatch(
        f"the worker died while verifying the golden rows ({reason})",
        where=loaded.artifact.tag,
        hint="its own message, if any, is on standard error",
    )
    _send(control, messages.Refused.of(died))
    return False


def hold(loaded: LoadedArtifact, control: socket.socket, settings: Settings) -> None:
    """Keep one scorer alive until the client closes the control socket."""
    nonce = ""
    while True:
        pid = _fork(functools.partial(_scorer, loaded, control, settings, nonce))
        reason, nonce = _wait(pid, control)
        if reason is None:
            return
        if not nonce:
            _send(control, messages.Died(pid, reason))


_DONE = "exit code 0"
_REFUSED_STATUS = 70
_REFUSED = f"exit code {_REFUSED_STATUS}"


def _fork(child: Callable[[], int]) -> int:
    """Run ``child`` in a fork, which ends with its status, and return the fork's process id."""
    with warnings.catch_warnings():
        # Python warns of threads that numerical libraries started. They are not Python threads, and
        # the fork does not use them.
        warnings.simplefilter("ignore", DeprecationWarning)
        parent, pid = os.getpid(), os.fork()
    if pid:
        return pid
    status = 1
    try:
        die_with_parent(parent)
        status = child()
    except MemoryError:
        status = OUT_OF_MEMORY
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _verify(loaded: LoadedArtifact, control: socket.socket, most: int) -> int:
    try:
        limit_memory(most)
        loaded.verify()
    except GnomonError as error:
        if ran_out(error):
            error = WorkerError(
                f"the golden rows need more than the {most:,} bytes of memory a worker may use",
                where=loaded.artifact.tag,
                hint="raise GNOMON_WORKER_BYTES",
            )
        _send(control, messages.Refused.of(error))
        return _REFUSED_STATUS
    return 0


def _scorer(loaded: LoadedArtifact, control: socket.socket, settings: Settings, nonce: str) -> int:
    """Hand the client its end of a new data socket, then serve until it closes."""
    limit_memory(settings.worker_bytes)
    data, client_end = socket.socketpair()
    with client_end:
        messages.send_event(control, messages.Ready(os.getpid(), nonce), client_end)
    control.close()
    engine = Engine(loaded, settings.deadline, fast=settings.fast_pipeline)
    serve(engine, loaded.artifact.contract.input_schema, data)
    return 0


def serve(engine: Engine, schema: pa.Schema, data: socket.socket) -> None:
    """Answer frames in order until the client closes the socket."""
    queue = platform.RunQueue()
    while (frame := messages.recv_frame(data)) is not None:
        started, waited = time.perf_counter_ns(), queue.micros()
        kind, payload = frame.kind, b""
        if kind == messages.SCORE:
            batch = messages.read_batch(frame.payload, schema)
            payload = engine.score(batch, searched=frame.micros / 1e6).serialize()
        else:
            try:
                payload = messages.table_payload(_inspection_table(engine, schema, frame))
            except Exception as error:
                message = f"{error_kind(error)}: {error_text(error)}"
                kind, payload = messages.FAILED, message.encode()
        micros = (time.perf_counter_ns() - started) // 1000
        waited = min(queue.micros() - waited, micros)
        try:
            data.sendall(messages.pack_frame(frame.number, kind, payload, micros, waited))
        except ConnectionError:
            return


def _inspection_table(engine: Engine, schema: pa.Schema, frame: messages.Frame) -> pa.Table:
    if frame.kind == messages.TRACE:
        return engine.trace(messages.read_batch(frame.payload, schema))
    table = messages.read_table(frame.payload)
    return engine.experiment(table, fixed=frame.kind == messages.FIXED)


class _End(NamedTuple):
    """Why a scorer ended; None if it was ended because the client closed the control socket.

    ``nonce`` is that of the client that took over and had the scorer killed, if there was one.
    """

    reason: str | None
    nonce: str = ""


def _wait(pid: int, control: socket.socket) -> _End:
    """Handle the client's messages until the scorer ends."""
    nonce = ""
    with contextlib.closing(platform.ChildWatch(pid)) as watch:
        while True:
            readable, _, _ = select.select([watch.fileno(), control.fileno()], [], [])
            if control.fileno() in readable:
                packet, fds = _receive_packet(control)
                if packet == messages.OUTLIVE:
                    _outlive(fds)
                    continue
                if packet.startswith(messages.TAKE_OVER):
                    nonce = packet.removeprefix(messages.TAKE_OVER).decode()
                os.kill(pid, signal.SIGKILL)
                if not packet:
                    os.waitpid(pid, 0)
                    return _End(None)
            if watch.fileno() in readable:
                watch.clear()
                ended_pid, status = os.waitpid(pid, os.WNOHANG)
                if ended_pid:
                    return _End(_reason(status), nonce)


def _receive_packet(control: socket.socket) -> tuple[bytes, list[int]]:
    try:
        return platform.recv_packet(control)
    except ConnectionError:  # The client ended before it had read all messages.
        return b"", []


def _outlive(fds: list[int]) -> None:
    """Live as long as the tether; where the kernel does not support that, as long as the parent."""
    for number in fds:
        with contextlib.suppress(OSError):
            platform.die_with_tether(socket.socket(fileno=number))


def _reason(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"signal {number}, {signal.Signals(number).name}"
    code = os.WEXITSTATUS(status)
    return (
        "out of memory, see GNOMON_WORKER_BYTES" if code == OUT_OF_MEMORY else f"exit code {code}"
    )


def _send(control: socket.socket, event: messages.Event) -> None:
    try:
        messages.send_event(control, event)
    except ConnectionError:
        os._exit(0)
