"""The command ``gnomon``: one small module per command, which imports what it needs when run."""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from gnomon.cli.exit_codes import CRASHED, FAILED, code_of, of_command

if TYPE_CHECKING:
    from gnomon.errors import GnomonError

__all__ = ["main", "run"]


def main() -> None:
    """Call :func:`run`, and end the process without running the destructors of libraries.

    At exit, Arrow's thread pools may be destroyed while their threads run. The process then aborts
    ("terminate called without an active exception") after all was done and printed. On a busy
    machine this happened to ``gnomon check`` once in some dozens of runs.
    """
    code = CRASHED
    # The function that is registered first runs last.
    atexit.register(lambda: _end(code))
    try:
        run()
        code = 0
    except SystemExit as exit_:
        code = code_of(exit_)
        raise


def run() -> None:
    """Run a command line. Errors that Gnomon raises on purpose are printed without a traceback.

    Exit codes: 0 success; 1 the check failed (divergence, a gate that does not pass);
    2 it could not be done, or the command line is wrong; 3 an unexpected error.
    """
    from gnomon.cli.app import app
    from gnomon.errors import GnomonError
    from gnomon.printable import make_tracebacks_printable

    make_tracebacks_printable()
    try:
        app(prog_name="gnomon")
    except SystemExit as exit_:
        raise SystemExit(of_command(exit_)) from None
    except GnomonError as error:
        _refuse(error)
    except OSError as error:
        _refuse(GnomonError(error.strerror or str(error), where=_place(error)))
    except UnicodeEncodeError as error:
        words = [word for word in sys.argv[1:] if not _is_text(word)]
        if not words:
            raise
        _refuse(GnomonError(f"not UTF-8 text: {error.reason}", where=ascii(words[0])))
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)
        raise SystemExit(CRASHED) from None


def _refuse(error: GnomonError) -> NoReturn:
    from gnomon.cli.console import show_error

    show_error(error)
    raise SystemExit(FAILED) from None


def _is_text(word: str) -> bool:
    """Whether an argument is UTF-8 text; Python represents other bytes as lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in word)


def _place(error: OSError) -> str | None:
    """Return the file, or the files, that an error of the operating system is about."""
    names = [name for name in (error.filename, error.filename2) if name is not None]
    return " -> ".join(map(str, names)) or None


def _end(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # The reader has closed it.
            code = code or FAILED
    os._exit(code)
