"""A document model for all reports: sections of findings, tables and figures.

Comparisons and drift reports each build one document. It is rendered as a page
(:mod:`gnomon.report.html`) and in a terminal (:mod:`gnomon.report.terminal`), which has less room:
``where`` selects the parts for either.

`names` in backticks are shown as code in titles, in the summary and in the sentences of findings;
all other text is shown unchanged, because it may contain a user's data.
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
"""Labels, each with its text."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A mark with the meaning of its colour, because colour is never the only sign."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class VerdictLabel:
    """The verdict as a sign and a word."""

    sign: Sign
    word: str


@dataclass(frozen=True, slots=True)
class Spark:
    """One character of a sparkline: its height, 0 to 1, and its tone."""

    height: float
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeList:
    """A line of text, after the bold ``strong``, followed by names with a few words each."""

    title: str
    strong: str = ""
    entries: Lines = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """One cell.

    Attributes:
        text: the text.
        note: more text, muted, after it.
        code: whether the text is a name.
        below: more texts, muted, each on a separate line.
        tag: a short, prominent label after it.
        tone: the tone of the text.
        meter: a share that is also drawn as a bar.
        bars: drawn instead of the text, in percent of the cell; ``text`` describes them.
        sparks: the bars for a terminal.
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
        label: a label before each value where a phone has no room for headings.
        kind: ``sign`` (one character), ``name`` (what a row is about), ``number``, ``time``,
            ``ids`` (monospaced), ``bars`` (drawn) or ``text``.
        where: where it is shown.
    """

    title: str = ""
    label: str = ""
    kind: Literal["sign", "name", "number", "ids", "time", "bars", "text"] = "text"
    where: Where = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One row: a sign, if the first column is for signs, and a cell for every other column.

    Attributes:
        level: ``group`` heads the ``member`` rows after it; ``first`` is the most important member.
        where: where it is shown.
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
        rest: text about the rows that a terminal leaves out.
        sides: whether its last two columns are the same value on two sides, which a phone shows
            side by side.
        about: what the table is about.
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
        title: the title, with its sign.
        says: the finding in a sentence.
        about: what it is about, muted.
        evidence: what was tried and observed.
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
    """A plot with its texts.

    Attributes:
        title: a description for readers who cannot see it.
        y_label: the measured quantity, with its unit.
        x_label: the quantity on the other axis.
        style: ``side`` for one of two sides, ``bad`` for values that should be low.
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
        name: the column; empty where the section's text is enough.
        note: the kind of the column.
        sign: whether it is as expected.
        says: the finding.
        legend: the names of the two sides, filled and dashed.
        pairs: labels with their shares on both sides, where there is no plot.
        pairs_label: the quantity of which these are shares.
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
        title: the heading; empty where the blocks continue the previous section.
        lead: a sentence on how to read it.
        beside: whether blocks are placed next to each other where there is room.
        more: further blocks, folded away.
        where: where it is shown. A terminal shows tables, findings and a figure's first chart.
    """

    blocks: tuple[Block, ...]
    title: str = ""
    lead: str = ""
    beside: bool = False
    more: tuple[Block, ...] = ()
    where: Where = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A complete report.

    Attributes:
        title: the finding.
        sides: the two sides that are compared.
        about: the artifact and its role.
        summary: the summary, which is read first.
        figures: a few numbers to read next.
        sections: the evidence.
        basis: the rows and versions on which it is based.
        command: the command that reproduces the report.
        foot: a note on how to read the numbers.
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
