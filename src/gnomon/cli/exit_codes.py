"""What a command's exit code says: 1 is a verdict, and nothing else is 1."""

from __future__ import annotations

__all__ = ["CRASHED", "FAILED", "code_of", "of_command", "of_process"]

FAILED = 2
"""It could not be done, or the command line is wrong."""

CRASHED = 3
"""An error that nobody raised on purpose."""


def code_of(ended: SystemExit) -> int:
    """The code that a process ends with; of a message :data:`FAILED`, where Python has 1."""
    if isinstance(ended.code, int):
        return ended.code
    return 0 if ended.code is None else FAILED


def of_command(ended: SystemExit) -> int:
    """The code of a command that ended: 1 only where the command itself exits with it.

    Typer exits with 1 by its own decision too: when nobody reads the output any more, or a prompt
    is left.
    """
    import typer

    code = code_of(ended)
    return code if isinstance(ended.__context__, typer.Exit) else _without_verdict(code)


def of_process(code: int) -> int:
    """The code for a server that ended, as ``subprocess`` has it. It has no verdict."""
    if code < 0:
        return 128 - code  # As a shell says it: 128 and the number of the signal.
    return _without_verdict(code)


def _without_verdict(code: int) -> int:
    return FAILED if code == 1 else code
