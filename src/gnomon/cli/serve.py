"""``gnomon serve``: run a deployment's service, and print when and where it is ready."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.exit_codes import of_process
from gnomon.errors import GnomonError, SettingsError

__all__ = ["command"]

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 10.0
"""If the server is not ready after this long, the reason is shown."""
STOPPED = (0, -signal.SIGINT, -signal.SIGTERM)
"""The return codes of a server that was asked to stop."""
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses that accept connections from other machines, and the address to use on this machine."""

_HOST_HINT = "--host takes an address of this machine: 127.0.0.1, or 0.0.0.0 for all"


def command(
    folder: Annotated[
        Path, typer.Argument(help="The deployment: a folder with a bentofile.yaml, or a bento.")
    ] = Path("."),
    port: Annotated[
        int, typer.Option("--port", "-p", min=1, max=65535, help="The port to listen on.")
    ] = 3000,
    host: Annotated[
        str, typer.Option("--host", help="0.0.0.0 accepts connections from other machines.")
    ] = "127.0.0.1",
) -> None:
    """Serve a deployment. It becomes ready when its live artifact is loaded and verified."""
    from gnomon.cli.console import out
    from gnomon.service.http.connection_limits import raise_descriptor_limit
    from gnomon.service.origins import origins_of
    from gnomon.settings import Settings

    settings = Settings.read()
    origins_of(settings)
    raise_descriptor_limit()
    _check(folder, host, port)
    url = f"http://{_callable(host)}:{port}"
    name = os.path.basename(os.path.realpath(folder))
    out.print(f"Starting [bold]{name}[/]; storage root {settings.root}")
    process = _start(folder, host, port, url)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: process.terminate())
    if _wait_ready(process, url):
        _print_ready(url, takes_host_names=host not in ANY_ADDRESS or settings.hosts is not None)
    code = process.wait()
    raise typer.Exit(0 if code in STOPPED else of_process(code))


def _start(folder: Path, host: str, port: int, url: str) -> subprocess.Popen[bytes]:
    from gnomon.service.stopping import COMMAND

    address = ["--host", host, "--port", str(port)]
    return subprocess.Popen(
        [sys.executable, "-m", "bentoml", "serve", str(folder), *address],
        env={
            "BENTOML_DO_NOT_TRACK": "True",
            "GNOMON_URL": url,
            **os.environ,
            COMMAND: str(os.getpid()),
        },
    )


def _print_ready(url: str, *, takes_host_names: bool) -> None:
    from gnomon.cli.console import out

    out.print(f"\n[bold green]Ready.[/] Look at it: [bold]{url}[/]")
    out.print(
        f"  API     {url}/docs.json\n  status  gnomon status --watch\n  stop    Ctrl-C\n",
        highlight=False,
    )
    if not takes_host_names:
        out.print(
            "It accepts requests for IP addresses and localhost. To accept a host name: "
            "GNOMON_HOSTS=NAME",
            soft_wrap=True,
        )


def _callable(host: str) -> str:
    """Return the host for a URL of the address on which the server listens."""
    host = ANY_ADDRESS.get(host, host)
    return f"[{host}]" if ":" in host else host


def _check(folder: Path, host: str, port: int) -> None:
    """Refuse what BentoML would fail on only seconds later, with a less clear message."""
    if not (folder / "bentofile.yaml").is_file() and not (folder / "bento.yaml").is_file():
        raise SettingsError(
            "no deployment here: expected a bentofile.yaml",
            where=os.path.realpath(folder),
            hint="run it in the deployment's folder, or make one: gnomon init FOLDER",
        )
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (TypeError, UnicodeError):  # Python cannot encode it as a host name.
            raise SettingsError(
                "expected the name or the address of a host", where=ascii(host), hint=_HOST_HINT
            ) from None
        except OSError as error:
            raise SettingsError(
                f"cannot listen there: {error.strerror}",
                where=f"{host}:{port}",
                hint="stop the process that uses the port, or use another one: --port 3001"
                if error.errno == errno.EADDRINUSE
                else _HOST_HINT,
            ) from None


def _wait_ready(process: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until the server is ready; False if it ended first. Print once why it is not ready."""
    from gnomon.cli.console import err
    from gnomon.service.client.clients import Client

    deadline, reason = time.monotonic() + PATIENCE_SECONDS, ""
    with Client(url, timeout=5.0) as client:
        while process.poll() is None:
            try:
                client.wait_ready(POLL_SECONDS)
                return True
            except GnomonError:
                if not reason and time.monotonic() > deadline and (reason := _reason(url)):
                    err.print(f"Not ready yet: {reason}", markup=False, soft_wrap=True)
    return False


def _reason(url: str) -> str:
    """Return why a server is not ready, if its status says so.

    Without a token it is not asked, as it would log that somebody was refused: at the first start
    it makes the control token itself.
    """
    from gnomon.service.access.control_token import find_control_token
    from gnomon.service.client.clients import Client
    from gnomon.settings import Settings

    try:
        token = find_control_token(Settings.read())
        if token is None:
            return ""
        with Client(url, control_token=token) as client:
            return client.status().error or ""
    except GnomonError:  # it does not answer yet
        return ""
