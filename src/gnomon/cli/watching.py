"""Showing something again and again: a live display in a terminal, changed lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from gnomon.cli.console import out

__all__ = ["watch"]

REFRESH_SECONDS = 1.0


def watch(look: Callable[[], RenderableType]) -> None:
    """Show what ``look`` returns every second, until Ctrl-C, or the key q in a terminal.

    Without a terminal it prints the lines that differ from those printed before, with the time, so
    that a log of it can be read. It also ends when the reader is gone.
    """
    with contextlib.suppress(KeyboardInterrupt):
        if out.is_terminal:
            _in_terminal(look)
        else:
            _as_lines(look)


def _in_terminal(look: Callable[[], RenderableType]) -> None:
    hint = Text("q or Ctrl-C ends", style="dim")
    with Live(console=out, auto_refresh=False) as live, _single_keys():
        while not out.quiet:
            live.update(Group(look(), hint), refresh=True)
            if _pressed(REFRESH_SECONDS) == "q":
                return


def _as_lines(look: Callable[[], RenderableType]) -> None:
    known: set[str] = set()
    while not out.quiet:
        with out.capture() as captured:
            out.print(look(), soft_wrap=True)
        lines = [line for line in captured.get().splitlines() if line.strip()]
        new = [line for line in lines if line not in known]
        if new:
            out.print(f"-- {time.strftime('%H:%M:%S')}", markup=False)
        for line in new:
            out.print(line, markup=False, highlight=False, soft_wrap=True)
        sys.stdout.flush()
        known = set(lines)
        time.sleep(REFRESH_SECONDS)


@contextlib.contextmanager
def _single_keys() -> Iterator[None]:
    """Have the terminal pass each key at once, where standard input is one."""
    if not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _pressed(seconds: float) -> str:
    """Wait for a key, and return it; empty without one or without a terminal to read."""
    if not sys.stdin.isatty():
        time.sleep(seconds)
        return ""
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    return os.read(sys.stdin.fileno(), 1).decode(errors="replace") if readable else ""
