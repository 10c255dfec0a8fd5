"""The processes that combine artifacts: each runs the code of one artifact, or of the combined one.

Two versions of a user's ``preprocessing.py`` cannot be imported by one process.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable

import msgspec

from gnomon.artifact.combining.parts import FailedPart, Reply
from gnomon.artifact.isolated_process import run_isolated
from gnomon.errors import ArtifactError, GnomonError, PackRefused

__all__ = ["answer", "ask"]

NICENESS = 10
"""A server combines while it serves, and live answers must not wait for it."""


def ask(module: str, *arguments: str) -> Reply:
    """Call a module's ``main`` in a process of its own, and return what it replied.

    Raises:
        ArtifactError: the process ended without a reply.
        GnomonError: the error that it replied.
    """
    with tempfile.TemporaryDirectory() as empty:
        done = run_isolated(module, arguments, dict(os.environ), empty)
    last = done.stdout.splitlines()[-1:] or [""]
    try:
        reply: Reply = msgspec.json.decode(last[0], type=Reply)
    except msgspec.DecodeError:
        raise ArtifactError(
            f"a process that loads an artifact ended with status {done.returncode}",
            where=arguments[0],
            hint=f"it printed: {done.stderr[-2000:].strip() or 'nothing'}",
        ) from None
    if isinstance(reply, FailedPart):
        raise reply.error(PackRefused)
    return reply


def answer(work: Callable[[], Reply]) -> None:
    """Do the work of a process at a low priority, and print its reply as the last line."""
    from gnomon.compat.skops import import_without_estimators

    os.nice(NICENESS)
    import_without_estimators()
    reply: Reply
    try:
        reply = work()
    except GnomonError as error:
        reply = FailedPart.of(error)
    print(msgspec.json.encode(reply).decode())
