"""The demo's output: headings, plain sentences, claims that are checked, and progress bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import indent

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from demo.place import DemoFailed

__all__ = ["WIDTH", "DemoOutput"]

WIDTH = 100


class DemoOutput:
    """Writes to the terminal."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        self.console.width = min(self.console.width, WIDTH) if self.console.is_terminal else WIDTH

    def heading(self, text: str) -> None:
        """Begin a part."""
        self.console.print(Text(f"\n{text}", style="bold"))

    def say(self, text: str) -> None:
        """Print plain sentences."""
        self._print(Text(text), "  ")

    def quote(self, command: str, printed: str) -> None:
        """Print a command and its output."""
        self.console.print(Text(f"\n  $ {command}", style="cyan"), soft_wrap=True)
        lines = "\n".join(line.rstrip() for line in printed.strip("\n").splitlines())
        self.console.print(Text(indent(lines, "  ")), soft_wrap=True)

    def table(self, rows: Sequence[str], columns: Sequence[Sequence[str]]) -> None:
        """Print named rows, with one column per subject."""
        table = Table(box=None, show_header=False, padding=(0, 3, 0, 2))
        table.add_column(no_wrap=True)
        for _ in columns:
            table.add_column(justify="right")
        for at, name in enumerate(rows):
            table.add_row(name, *(column[at] for column in columns))
        self.console.print(table)

    def claim(self, holds: bool, sentence: str) -> None:
        """A sentence the demo stands for.

        Raises:
            DemoFailed: it is not so.
        """
        if not holds:
            raise DemoFailed(f"expected, but not so: {sentence}")
        self._print(Text(sentence), Text("  ✓ ", style="green"))

    def failed(self, text: str) -> None:
        """Print that the demo failed, and why."""
        self.console.print(Text.assemble(("\n✗ ", "bold red"), text), soft_wrap=True)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show a spinner and the time it has taken."""
        with self._progress() as progress:
            progress.add_task(what, total=None)
            yield

    @contextmanager
    def counting(self, total: int, what: str) -> Iterator[Callable[[], None]]:
        """Show a bar of ``total`` steps; call what it yields after each step."""
        with self._progress(BarColumn(), MofNCompleteColumn()) as progress:
            task = progress.add_task(what, total=total)
            yield lambda: progress.advance(task)

    def _print(self, text: Text, before: str | Text) -> None:
        """Print text wrapped, with all lines after the first indented."""
        grid = Table.grid()
        grid.add_row(before, text)
        self.console.print(grid)

    def _progress(self, *columns: ProgressColumn) -> Progress:
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            *columns,
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
