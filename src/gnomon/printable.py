"""Text of clients, artifacts and files, made safe to show in a terminal, a log or a table.

A terminal executes control characters: they move the cursor, change the title, and in some
terminals type text. A line break in a log looks like the start of a new record. Characters for
right-to-left text can make text look different from its content (https://trojansource.codes). Each
of these is shown as its escape in a string of JSON or Python, so no information is lost and JSON
keeps its meaning.
"""

from __future__ import annotations

import copy
import io
import logging
import re
import sys
import traceback
from types import TracebackType
from typing import TextIO

__all__ = [
    "PrintableFormatter",
    "PrintableStream",
    "cell",
    "guard_process",
    "log_to_stderr",
    "make_logs_printable",
    "make_tracebacks_printable",
    "print_traceback",
    "printable",
    "printable_value",
]

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0 with tab and line breaks, delete, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the direction of text
    "\u2028\u2029\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"  # breaks, invisible, surrogates
)
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""Beginnings that make a spreadsheet treat a cell as a formula; the last four are the full-width
forms of East Asian keyboards (https://owasp.org/www-community/attacks/CSV_Injection)."""
INDENT = "    "


def printable(text: str, *, keep: str = "") -> str:
    r"""Return ``text`` with control and direction characters as escapes, such as ``\x1b``.

    Args:
        text: from any source.
        keep: which of those characters to keep, such as ``"\n"`` to keep lines.
    """
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


def printable_value(value: object) -> object:
    """Make a value safe for a page: escape those characters in text; leave other types unchanged.

    Markup, a subclass of text, stays markup.
    """
    return type(value)(printable(value, keep="\n\t")) if isinstance(value, str) else value


def cell(text: str) -> str:
    """Return ``text`` for a CSV cell, with a ``'`` before text that a spreadsheet would execute."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _escape(character: str) -> str:
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    if code < 0x20:
        return f"\\x{code:02x}"
    if code > 0xFFFF:  # As JSON writes it.
        high, low = divmod(code - 0x10000, 0x400)
        return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
    return f"\\u{code:04x}"


class PrintableFormatter(logging.Formatter):
    """A formatter that escapes another formatter's text and indents all lines but the first.

    So every line of a log that is not indented begins a record.

    Args:
        inner: the other formatter; by default one that writes only the message.
    """

    def __init__(self, inner: logging.Formatter | None = None) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        record = copy.copy(record)
        record.msg, record.args = printable(record.getMessage()), None
        return _indented(self._inner.format(record))


def make_logs_printable() -> None:
    """Make every handler of every logger format with :class:`PrintableFormatter`."""
    loggers = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    handlers = {handler for logger in (logging.root, *loggers) for handler in logger.handlers}
    for handler in handlers:
        if not isinstance(handler.formatter, PrintableFormatter):
            handler.setFormatter(PrintableFormatter(handler.formatter))


def log_to_stderr() -> None:
    """Log warnings and errors to standard error, with the logger's name; tracebacks too."""
    make_tracebacks_printable()
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter(logging.Formatter("%(name)s: %(message)s")))
    logging.basicConfig(handlers=[handler])


class PrintableStream(io.TextIOBase):
    """A stream that escapes what is written to it, and indents every line.

    Args:
        inner: the stream to write to.
    """

    def __init__(self, inner: TextIO) -> None:
        self._inner = inner
        self._begins_line = True

    def write(self, text: str) -> int:
        """Write, and return how many characters were taken."""
        if text:
            begin = INDENT if self._begins_line else ""
            self._begins_line = text.endswith("\n")
            body = _indented(text.removesuffix("\n"))
            self._inner.write(begin + body + ("\n" if self._begins_line else ""))
        return len(text)

    def flush(self) -> None:
        """Flush the inner stream."""
        self._inner.flush()

    def fileno(self) -> int:
        """Return the descriptor of the inner stream."""
        return self._inner.fileno()

    def isatty(self) -> bool:
        """Return whether the inner stream is a terminal."""
        return self._inner.isatty()

    def writable(self) -> bool:
        """Return True."""
        return True


def guard_process() -> None:
    """Escape and indent what this process prints: user code may print text of clients."""
    sys.stdout, sys.stderr = PrintableStream(sys.stdout), PrintableStream(sys.stderr)


def make_tracebacks_printable() -> None:
    """Escape the tracebacks of uncaught errors."""
    sys.excepthook = _print_exception


def print_traceback(error: BaseException) -> None:
    """Print an error's traceback to standard error, all lines but the first indented."""
    _print_exception(type(error), error, error.__traceback__)


def _print_exception(
    type_: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    text = "".join(traceback.format_exception(type_, error, trace)).rstrip("\n")
    print(_indented(text), file=sys.stderr)


def _indented(text: str) -> str:
    return printable(text, keep="\n\t").replace("\n", f"\n{INDENT}")
