"""Text of clients, artifacts and files, made safe to show: in a terminal, in a log, in a table.

A terminal obeys control characters: they move the cursor, change the title, and in some terminals
type into it. A line break in a log begins what looks like a record. Characters for right-to-left
text make what is shown differ from what is there (https://trojansource.codes). Each is shown as the
escape that stands for it in a string of JSON or Python, so nothing is lost to the reader, and JSON
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
    "\u2028\u2029\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"  # breaks, invisible, no text
)
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What makes a spreadsheet take a cell for a formula; the last four are the wide ones of East Asian
keyboards (https://owasp.org/www-community/attacks/CSV_Injection)."""
INDENT = "    "


def printable(text: str, *, keep: str = "") -> str:
    r"""``text`` with control and direction characters as escapes, such as ``\x1b``.

    Args:
        text: from anybody.
        keep: of those characters the ones to leave, as ``"\n"`` where lines are wanted.
    """
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def printable_value(value: object) -> object:
    """A value on its way into a page: text without those characters, anything else as it is.

    Markup, which is text too, stays markup.
    """
    return type(value)(printable(value, keep="\n\t")) if isinstance(value, str) else value


def cell(text: str) -> str:
    """``text`` for a cell of CSV: with a ``'`` before what a spreadsheet would run."""
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
    """What another formatter makes of a record, as one line; what follows it is indented.

    So whatever begins a line of a log is a record.

    Args:
        inner: the formatter; one for the bare message by default.
    """

    def __init__(self, inner: logging.Formatter | None = None) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        record = copy.copy(record)
        record.msg, record.args = printable(record.getMessage()), None
        return _indented(self._inner.format(record))


def make_logs_printable() -> None:
    """Have every handler of every logger format with :class:`PrintableFormatter`."""
    named = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    for handler in {one for logger in (logging.root, *named) for one in logger.handlers}:
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
        inner: where it goes.
    """

    def __init__(self, inner: TextIO) -> None:
        self._inner = inner
        self._begins_line = True

    def write(self, text: str) -> int:
        """Write, and give the characters taken."""
        if text:
            begin = INDENT if self._begins_line else ""
            self._begins_line = text.endswith("\n")
            body = _indented(text.removesuffix("\n"))
            self._inner.write(begin + body + ("\n" if self._begins_line else ""))
        return len(text)

    def flush(self) -> None:
        """Flush what is underneath."""
        self._inner.flush()

    def fileno(self) -> int:
        """The descriptor underneath."""
        return self._inner.fileno()

    def isatty(self) -> bool:
        """Whether somebody watches."""
        return self._inner.isatty()

    def writable(self) -> bool:
        """It is."""
        return True


def guard_process() -> None:
    """Escape and indent what this process prints: user code quotes clients."""
    sys.stdout, sys.stderr = PrintableStream(sys.stdout), PrintableStream(sys.stderr)


def make_tracebacks_printable() -> None:
    """Escape the traceback of an error that nothing catches."""
    sys.excepthook = _print_exception


def print_traceback(error: BaseException) -> None:
    """Print an error's traceback to standard error, all lines but the first indented."""
    _print_exception(type(error), error, error.__traceback__)


def _print_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    text = "".join(traceback.format_exception(kind, error, trace)).rstrip("\n")
    print(_indented(text), file=sys.stderr)


def _indented(text: str) -> str:
    return printable(text, keep="\n\t").replace("\n", f"\n{INDENT}")
