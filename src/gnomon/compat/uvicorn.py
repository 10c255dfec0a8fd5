"""Private parts of uvicorn, which documents only its settings and its ``Server``.

The classes are imported here under their own names. ``tests/compat/test_uvicorn.py`` lists the
parts of each that Gnomon uses. Seen in 0.54. Without one of them the gateway does not start: an
import fails in the serving process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http import auto
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

__all__ = [
    "Config",
    "HttpToolsProtocol",
    "RequestResponseCycle",
    "ServerState",
    "get_local_addr",
    "get_remote_addr",
    "make_connections_with",
]


def make_connections_with(make: Callable[..., asyncio.Protocol]) -> None:
    """Make uvicorn create the protocol of each connection with this function from now on.

    Replaces ``uvicorn.protocols.http.auto.AutoHTTPProtocol``, the name that uvicorn looks up when a
    server starts. The public way is ``Config(http=...)``, but BentoML makes the ``Config`` and
    leaves the choice to uvicorn.

    Args:
        make: called with ``config``, ``server_state``, ``app_state`` and sometimes ``_loop``.
    """
    chosen: Any = make
    auto.AutoHTTPProtocol = chosen
