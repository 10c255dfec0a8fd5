"""Options that several commands share."""

from __future__ import annotations

import getpass
import os
import socket
from typing import Annotated, TypeAlias

import typer

__all__ = ["AsJson", "LogUrl", "Model", "Token", "Url", "Why", "me"]

Url: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="GNOMON_URL",
        metavar="URL",
        help="The server to ask. Default: a running server of the storage root, else the "
        "storage root itself.",
    ),
]
LogUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="GNOMON_URL",
        metavar="URL",
        help="The server to ask. Default: the storage root, which is read here even if a server "
        "is running.",
    ),
]
"""For commands that read the log and labels, which a server does only if it is asked to."""
Token: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar=["GNOMON_TOKEN", "GNOMON_CONTROL_TOKEN"],
        metavar="TOKEN",
        show_envvar=True,
        help="A named token, or the control token. Default: the storage root's control.token.",
    ),
]
Model: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="The model, if the storage root has several.",
    ),
]
Why: TypeAlias = Annotated[
    str | None, typer.Option("--why", metavar="TEXT", help="The reason; the history records it.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def me() -> str:
    """Return who decides, as recorded in the history: ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
