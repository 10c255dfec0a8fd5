"""Text is shown and never interpreted: by itself, in logs, on streams, on the console."""

from __future__ import annotations

import io
import json
import logging
import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from rich.table import Table
from rich.text import Text

from gnomon.printable import (
    PrintableFormatter,
    PrintableStream,
    cell,
    printable,
    printable_value,
)
from gnomon.terminal import Terminal

TEXTS = st.text(st.characters(), max_size=60)


@given(TEXTS)
def test_no_character_that_acts_is_left(text: str) -> None:
    """All of Unicode is tried: no control, no direction, no line break, no lone surrogate is
    left.
    """
    for character in printable(text):
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(character) not in (
            "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
        )  # fmt: skip


@given(TEXTS)
def test_json_means_the_same_afterwards(text: str) -> None:
    """So what a program reads from a terminal is what was there."""
    written = json.dumps({text: [text]}, ensure_ascii=False, indent=2)
    assert json.loads(printable(written, keep="\n")) == {text: [text]}


def test_what_people_write_stays_as_it_is() -> None:
    """Accents, other scripts, emoji that are joined; a backslash."""
    for text in ("São Paulo", "日本語", "العربية", "👩‍👩‍👧", "C:\\new", ""):
        assert printable(text) == text
    assert printable("a\nb\tc", keep="\n\t") == "a\nb\tc"
    assert printable("a\nb\x1b") == r"a\nb\x1b"


def test_cells_that_a_spreadsheet_would_run_are_quoted() -> None:
    """Other text is not."""
    for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"):
        assert cell(text) == f"'{text}"
    for text in ("a=1", "", " =1", "1", "'=1"):
        assert cell(text) == text


def test_markup_stays_markup_and_other_values_what_they_are() -> None:
    """So a page escapes each once."""
    assert printable_value(Markup("<b>\x1b</b>")) == Markup(r"<b>\x1b</b>")
    assert isinstance(printable_value(Markup("<b>")), Markup)
    assert type(printable_value("<b>")) is str
    assert printable_value(3) == 3


def logged(message: str, *words: object, error: Exception | None = None) -> list[str]:
    """The lines of a record."""
    record = logging.LogRecord("gnomon", logging.INFO, "f", 1, message, words, None)
    if error is not None:
        record.exc_info = (type(error), error, error.__traceback__)
    inner = logging.Formatter("%(levelname)s %(message)s")
    return PrintableFormatter(inner).format(record).split("\n")


def test_a_record_is_a_line_and_what_follows_is_indented() -> None:
    """A message's line breaks are escapes; a traceback's cannot begin a record."""
    assert logged("GET %s", "/\nINFO forged\x1b[2J") == [r"INFO GET /\nINFO forged\x1b[2J"]
    lines = logged("failed", error=ValueError("bad\nINFO forged\x9b"))
    assert lines[0] == "INFO failed"
    assert all(line.startswith("    ") for line in lines[1:])
    assert lines[-1] == r"    INFO forged\u009b"


def test_a_record_is_the_same_for_the_next_handler() -> None:
    """The formatter changes only its own copy."""
    record = logging.LogRecord("gnomon", logging.INFO, "f", 1, "%s", ("a\nb",), None)
    PrintableFormatter().format(record)
    assert record.getMessage() == "a\nb"


@given(st.lists(st.sampled_from(["a", "\n", "x\ny", "", "\x1b[2J", "end\n"]), max_size=8))
def test_every_line_of_a_stream_is_indented(parts: list[str]) -> None:
    """It is indented however the text is divided into parts."""
    under = io.StringIO()
    stream = PrintableStream(under)
    for part in parts:
        assert stream.write(part) == len(part)
    said = "".join(parts).replace("\x1b", r"\x1b")
    lines = said.split("\n")
    last = lines.pop()
    expected = "".join(f"    {line}\n" for line in lines) + (f"    {last}" if last else "")
    assert under.getvalue() == expected


def shown(*things: object, **more: object) -> str:
    """What a terminal of 60 columns gets."""
    under = io.StringIO()
    Terminal(file=under, width=60, force_terminal=True).print(*things, **more)  # type: ignore[arg-type]
    return under.getvalue()


def test_the_console_escapes_all_it_is_given() -> None:
    """Strings, markup, styled text and tables; Gnomon's own styles are kept."""
    evil = "\x1b]0;t\x07\x9b2J\u202e:bomb:"
    table = Table("name")
    table.add_row(evil)
    for thing in (evil, Text.assemble(("error: ", "bold red"), (evil, "red")), table):
        text = re.sub(r"\x1b\[[0-9;]*m", "", shown(thing))
        assert r"\x1b]0;t" in text
        assert r"\u009b2J\u202e:bomb:" in text
        assert "\x1b" not in text
    assert "evil.example" not in shown("[link=http://evil.example]text[/link]")
    assert shown("[bold]ours[/]") == "\x1b[1mours\x1b[0m\n"


def test_styles_keep_to_their_words() -> None:
    """Though the words before them have grown."""
    text = Text.assemble(("\x1b\x1b", "red"), ("plain", ""), ("bold", "bold"))
    assert shown(text) == "\x1b[31m\\x1b\\x1b\x1b[0mplain\x1b[1mbold\x1b[0m\n"
