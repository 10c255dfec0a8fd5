"""The exit codes of commands: 1 is always a verdict."""

from __future__ import annotations

__all__ = ["CRASHED", "FAILED", "code_of", "of_command", "of_process"]

FAILED = 2
"""The command could not be carried out, or the command line is wrong."""

CRASHED = 3
"""An unexpected error."""


def code_of(exit_: SystemExit) -> int:
    """Return a process's exit code; for a message it is :data:`FAILED`, where Python uses 1."""
    if isinstance(exit_.code, int):
        return exit_.code
    return 0 if exit_.code is None else FAILED


def of_command(exit_: SystemExit) -> int:
    """Return the exit code of a command: 1 only if the command itself exits with 1.

    Typer also exits with 1, if the output is closed or a prompt is aborted.
    """
    import typer

    code = code_of(exit_)
    return code if isinstance(exit_.__context__, typer.Exit) else _without_verdict(code)


def of_process(code: int) -> int:
    """Return the exit code for a server's ``subprocess`` return code, which is not a verdict."""
    if code < 0:
        return 128 - code  # As in a shell: 128 plus the number of the signal.
    return _without_verdict(code)


def _without_verdict(code: int) -> int:
    return FAILED if code == 1 else code
