"""What a report shows, whatever it is about: sections of findings, tables and figures.

A comparison and a measurement of drift each say their results in these terms once. One writer makes
a page of them (:mod:`gnomon.report.html`), another what a terminal shows
(:mod:`gnomon.report.terminal`), which has less room: ``where`` says what is for which.

`names` in backticks are set off as code in titles, in the summary and in what findings say; every
other text is shown as it is, since it may be of a user's data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gnomon.report.plots import Bar, LabelShares, Plot

__all__ = [
    "Chart",
    "CodeList",
    "Document",
    "Facts",
    "Figure",
    "FindingCard",
    "Lines",
    "Section",
    "Sign",
    "Spark",
    "Table",
    "TableCell",
    "TableColumn",
    "TableRow",
    "Tone",
    "VerdictLabel",
    "Where",
]

Tone = Literal["good", "bad", "unsure", "plain", "muted"]
Where = Literal["both", "page", "terminal"]
Lines: TypeAlias = tuple[tuple[str, str], ...]
"""Labels, each with what it says."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A mark that says what a colour says too: colour is never the only sign."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class VerdictLabel:
    """The verdict as its sign and its word."""

    sign: Sign
    word: str


@dataclass(frozen=True, slots=True)
class Spark:
    """One character of a sparkline: its height, 0 to 1, and its tone."""

    height: float
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeList:
    """A few words, ``strong`` ones first, then names, each with a few words more."""

    title: str
    strong: str = ""
    entries: Lines = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """One cell.

    Attributes:
        text: what it says.
        note: more, muted, beside it.
        code: whether the text is a name.
        below: more, muted, each on a line of its own.
        tag: a short label after it that must not be missed.
        tone: of the text.
        meter: a share that is drawn as a bar too.
        bars: drawn in place of a text, in percent of the cell; ``text`` describes them.
        sparks: the same for a terminal.
    """

    text: str = ""
    note: str = ""
    code: bool = False
    below: tuple[str, ...] = ()
    tag: str = ""
    tone: Tone = "plain"
    meter: float | None = None
    bars: tuple[Bar, ...] = ()
    sparks: tuple[Spark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """One column.

    Attributes:
        title: its heading.
        label: what stands before each value where a phone has no room for headings.
        kind: ``sign`` (one character), ``name`` (what a row is about), ``number``, ``time``,
            ``ids`` (monospaced), ``bars`` (drawn) or ``text``.
        where: who shows it.
    """

    title: str = ""
    label: str = ""
    kind: Literal["sign", "name", "number", "ids", "time", "bars", "text"] = "text"
    where: Where = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One row: a sign, if the first column is for signs, and a cell for every other column.

    Attributes:
        level: ``group`` heads the ``member`` rows after it; ``first`` is the member that matters.
        where: who shows it.
    """

    cells: tuple[TableCell, ...]
    sign: Sign | None = None
    level: Literal["", "group", "member", "first"] = ""
    where: Where = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table.

    Attributes:
        more: further rows for a page, folded away under the text ``more_title``.
        rest: what a terminal leaves out, in words.
        sides: whether its last two columns are the same value on two sides, which a phone shows
            side by side.
        about: what it is of.
    """

    columns: tuple[TableColumn, ...]
    rows: tuple[TableRow, ...]
    more: tuple[TableRow, ...] = ()
    more_title: str = ""
    rest: str = ""
    sides: bool = False
    about: CodeList | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingCard:
    """A finding with its evidence.

    Attributes:
        severity: ``good`` where the cause is known, ``unsure`` where it is not.
        title: with its sign.
        says: the finding in a sentence.
        about: what it is about, muted.
        evidence: what was tried and seen.
        action: what to do about it.
    """

    severity: Tone
    title: str
    says: str
    about: str = ""
    evidence: tuple[str, ...] = ()
    action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A plot with its words.

    Attributes:
        title: describes it to who cannot see it.
        y_label: what is measured, with its unit.
        x_label: over what.
        style: ``side`` for one of two sides, ``bad`` for what should not be.
    """

    plot: Plot
    title: str
    y_label: str
    x_label: str
    style: Literal["side", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Plots of one thing, in order.

    Attributes:
        name: the column; nothing where the section says all.
        note: what kind of thing it is.
        sign: whether it is as it should be.
        says: the finding.
        legend: the two sides, filled and dashed.
        pairs: labels with the shares that they have on both sides, where there is no plot.
        pairs_label: what those shares are of.
        captions: sentences under the plots, with the rows or values that they name.
    """

    charts: tuple[Chart, ...] = ()
    name: str = ""
    note: str = ""
    sign: Sign | None = None
    says: str = ""
    legend: tuple[str, str] | None = None
    pairs: tuple[LabelShares, ...] = ()
    pairs_label: str = ""
    captions: tuple[CodeList, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Labels and values."""

    title: str = ""
    lines: Lines = ()


Block: TypeAlias = Table | FindingCard | Figure | Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Blocks under a heading.

    Attributes:
        title: the heading; nothing where the blocks go on with the section before.
        lead: how to read it.
        beside: whether blocks stand beside each other where there is room.
        more: further blocks, folded away.
        where: who shows it. A terminal shows tables, findings and the first chart of a figure.
    """

    blocks: tuple[Block, ...]
    title: str = ""
    lead: str = ""
    beside: bool = False
    more: tuple[Block, ...] = ()
    where: Where = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole report.

    Attributes:
        title: the finding.
        sides: what is held against what.
        about: whose answers.
        summary: what is read first.
        figures: the handful of numbers to look at then.
        sections: the evidence.
        basis: what it rests on.
        command: makes the report again.
        foot: how the numbers are meant.
    """

    title: str
    verdict: VerdictLabel
    sides: str
    about: str
    summary: Lines
    figures: Lines
    sections: tuple[Section, ...]
    basis: tuple[Facts, ...]
    command: str
    foot: str
