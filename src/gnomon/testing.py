"""A real server on a free port for the tests of a deployment; it ends with the test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gnomon.errors import GnomonError, NotReady, ServerError
from gnomon.service.access.control_token import find_control_token
from gnomon.service.client.clients import Client
from gnomon.settings import Settings

__all__ = ["Server", "free_port", "serving"]


@dataclass(frozen=True)
class Server:
    """A running deployment.

    Attributes:
        url: its address.
        process: the ``bentoml serve`` process; its gateway is a child of it.
        settings: the settings it was started with.
        log: the file its output goes to.
    """

    url: str
    process: subprocess.Popen[bytes]
    settings: Settings
    log: Path

    def client(self) -> Client:
        """Return a client with the control token."""
        return Client(self.url, control_token=find_control_token(self.settings))

    def stop(self, timeout: float = 30.0) -> int:
        """Send SIGTERM, wait for the end, and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)


def free_port() -> int:
    """Return a free TCP port of the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(
    deployment: Path,
    root: Path,
    *,
    environment: Mapping[str, str] | None = None,
    service: str = "service:Gateway",
    wait_seconds: float = 60.0,
) -> Iterator[Server]:
    """Serve a deployment's folder until the block ends.

    Args:
        deployment: the folder with ``service/``.
        root: the storage root, which also gets the server's output.
        environment: variables in addition to those of this process, such as ``BENTOML_HOME``.
            ``GNOMON_ROOT`` among them replaces the storage root.
        service: the service to serve.
        wait_seconds: how long it may take until predictions are answered.

    Raises:
        NotReady: the server was not ready in time, or ended; the message has the end of its output.

    Example::

        with serving(Path("."), tmp_path) as server:
            answer = server.client().predict({"carrier": "UA", ...})
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    variables = {
        **os.environ,
        "GNOMON_ROOT": str(root),
        "GNOMON_URL": url,
        **(environment or {}),
    }
    root.mkdir(parents=True, exist_ok=True)
    log = root / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "bentoml", "serve", service,
             "--host", "127.0.0.1", "--port", str(port)],
            cwd=deployment,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    server = Server(url, process, Settings.read(variables), log)
    try:
        _wait_ready(server, wait_seconds)
        yield server
    finally:
        _end(process)


def _wait_ready(server: Server, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    with Client(server.url) as client:
        while True:
            try:
                client.wait_ready(1.0)
                return
            except (NotReady, ServerError):
                exit_code = server.process.poll()
                if exit_code is None and time.monotonic() < deadline:
                    continue
                state = _reason(server) if exit_code is None else f"ended with {exit_code}"
                tail = server.log.read_text(errors="replace")[-2000:]
                raise NotReady(f"the server {state}; its output ends:\n{tail}") from None


def _reason(server: Server) -> str:
    try:
        with server.client() as client:
            return f"is not ready: {client.status().error}"
    except GnomonError as error:
        return f"does not answer: {error}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM, then SIGKILL to the complete session, so that nothing is left running."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
