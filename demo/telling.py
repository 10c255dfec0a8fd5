"""How the demo speaks: headings, plain sentences, claims that are checked, and progress bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
from rich.text import Text

from demo.place import DemoFailed

__all__ = ["Telling"]


class Telling:
    """Writes to the terminal."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)

    def heading(self, text: str) -> None:
        """Begin a part."""
        self.console.print(Text(f"\n{text}", style="bold"))

    def say(self, text: str) -> None:
        """A sentence."""
        self.console.print(Text(f"  {text}"))

    def quote(self, command: str, printed: str) -> None:
        """A command and what it printed."""
        self.console.print(Text(f"  $ {command}", style="cyan"))
        for line in printed.strip("\n").splitlines():
            self.console.print(Text.assemble(("  │ ", "dim"), line))

    def claim(self, holds: bool, sentence: str) -> None:
        """A sentence the demo stands for.

        Raises:
            DemoFailed: it is not so.
        """
        if not holds:
            raise DemoFailed(f"this should be so and is not: {sentence}")
        self.console.print(Text.assemble(("  ✓ ", "green"), sentence))

    def failed(self, text: str) -> None:
        """The last words of a demo that did not do what it says."""
        self.console.print(Text.assemble(("\n✗ ", "bold red"), text))

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """A spinner and the time it has taken."""
        with self._progress() as progress:
            progress.add_task(what, total=None)
            yield

    @contextmanager
    def counting(self, total: int, what: str) -> Iterator[Callable[[], None]]:
        """A bar of ``total`` steps; call what it gives at each."""
        with self._progress(BarColumn(), MofNCompleteColumn()) as progress:
            task = progress.add_task(what, total=total)
            yield lambda: progress.advance(task)

    def _progress(self, *columns: ProgressColumn) -> Progress:
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            *columns,
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )
