"""The section of a comparison on which half of the other artifact makes the difference."""

from __future__ import annotations

from gnomon import quantities
from gnomon.report.document import FindingCard, Section, Table, TableCell, TableColumn, TableRow
from gnomon.report.halves import Halves, which_half

__all__ = ["halves_section"]


def halves_section(halves: Halves) -> Section:
    """Return the section: the half that is named, and the rows by what makes them differ."""
    return Section(
        title="Which half makes the difference",
        lead="The same rows, run also with one half exchanged alone. The mean change is that "
        "of the answers, in all rows that differ.",
        blocks=(_which_half(halves), _halves(halves)),
    )


def _which_half(halves: Halves) -> FindingCard:
    is_known = halves.makes in ("preprocessing", "model")
    title, counts = which_half(halves)
    return FindingCard(severity="good" if is_known else "unsure", title=title, says=counts)


def _halves(halves: Halves) -> Table:
    """Build a row for each way in which the halves make rows differ."""
    preprocessing, model = halves.preprocessing, halves.model
    rows = [
        _half_row("with both halves", halves.differ, halves.mean_change),
        _half_row(
            "only with its preprocessing",
            preprocessing.alone,
            preprocessing.mean_change,
            preprocessing.artifact,
        ),
        _half_row("only with its model", model.alone, model.mean_change, model.artifact),
        _half_row("with either one of them", halves.either),
        _half_row("only with both together", halves.together),
    ]
    others = (
        ("agree with both, but not with one half alone", halves.cancelled),
        ("not counted: run again, the artifact itself differs from the log", halves.unstable),
        ("refused or failed with its preprocessing alone", preprocessing.unanswered),
        ("refused or failed with its model alone", model.unanswered),
    )
    rows += [_half_row(name, count) for name, count in others if count]
    return Table(
        columns=(
            TableColumn(title="Rows that differ", kind="name"),
            TableColumn(title="Rows", kind="number", label="rows"),
            TableColumn(title="Mean change", kind="number", label="mean change"),
        ),
        rows=tuple(rows),
    )


def _half_row(name: str, count: int, mean: float | None = None, tag: str = "") -> TableRow:
    change = "" if mean is None else quantities.number(mean, 3)
    cells = (
        TableCell(text=name, below=(tag,) if tag else ()),
        TableCell(text=quantities.count(count)),
        TableCell(text=change),
    )
    return TableRow(cells=cells)
