"""The command ``gnomon``: one thin file a verb, which imports what it needs when it runs."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run a command line; the errors Gnomon raises on purpose are printed without a traceback.

    Exit codes: 0 done; 1 the answer is bad news (divergence, a gate that does not hold);
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
