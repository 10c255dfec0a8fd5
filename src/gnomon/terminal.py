"""The console that everything in Gnomon prints with."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import accumulate
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Span, Text

from gnomon.printable import printable

__all__ = ["Terminal"]


class Terminal(Console):
    """A console in which only Gnomon's own styles reach the terminal; text is escaped.

    Text is escaped when it is rendered, so that no command can forget it. ``:names:`` of emoji stay
    as they are.
    """

    def __init__(self, *, stderr: bool = False, file: IO[str] | None = None, **more: Any) -> None:
        super().__init__(stderr=stderr, file=file, highlight=False, emoji=False, **more)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of a renderable; called for each of its parts too."""
        if isinstance(renderable, Text):
            renderable = _escaped(renderable)
        for segment in super().render(renderable, options):
            yield segment if segment.control else _safe(segment)

    def on_broken_pipe(self) -> None:
        """Discard further output, because its reader is gone (``gnomon compare ... | head``).

        The command goes on, and exits with its own code: rich would exit with 1, and whether a
        check failed does not depend on how much of its report is read.
        """
        self.quiet = True
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, self.file.fileno())
        os.close(devnull)

    def render_str(self, text: str, **more: Any) -> Text:
        """Return a string as text."""
        return _escaped(super().render_str(text, **more))


def _safe(segment: Segment) -> Segment:
    text, style = printable(segment.text, keep="\n"), segment.style
    if style is not None and style.link:  # Markup that was not escaped; Gnomon has no links.
        style = style.update_link(None)
    return segment if (text, style) == segment[:2] else Segment(text, style)


def _escaped(text: Text) -> Text:
    """Escape a text before it is wrapped, so that lines are measured as they are shown."""
    pieces = [printable(character, keep="\n") for character in text.plain]
    plain = "".join(pieces)
    if plain == text.plain:
        return text
    places = [0, *accumulate(map(len, pieces))]
    spans = [Span(places[span.start], places[span.end], span.style) for span in text.spans]
    copy = text.copy()
    copy.plain, copy.spans = plain, spans
    return copy
