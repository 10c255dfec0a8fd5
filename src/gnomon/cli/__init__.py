"""The command ``gnomon``: one thin file per command, which imports what it needs when it runs."""

from __future__ import annotations

import atexit
import os
import sys

__all__ = ["main", "run"]


def main() -> None:
    """:func:`run` as a process of its own, which ends without running the destructors of libraries.

    Arrow's thread pools may be destroyed at exit while their threads run: the process then aborts
    ("terminate called without an active exception") after all was done and printed. ``gnomon
    check`` did so once in some dozens of runs on a busy machine.
    """
    code = 1
    # The first that is registered is the last that runs.
    atexit.register(lambda: _end(code))
    try:
        run()
        code = 0
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        raise


def _end(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # Nobody reads it any more.
            code = code or 1
    os._exit(code)


def run() -> None:
    """Run a command line; the errors Gnomon raises on purpose are printed without a traceback.

    Exit codes: 0 success; 1 the check failed (divergence, a gate that does not pass);
    2 it could not be done, or the command line is wrong.
    """
    from gnomon.cli.app import app
    from gnomon.errors import GnomonError
    from gnomon.printable import make_tracebacks_printable

    make_tracebacks_printable()
    try:
        app(prog_name="gnomon")
    except GnomonError as error:
        from gnomon.cli.console import show_error

        show_error(error)
        raise SystemExit(2) from None
