"""Print an import of labels, and their status."""

from __future__ import annotations

from rich.markup import escape

from gnomon.cli.console import columns, local, out, share
from gnomon.labels.imports.label_import import LabelImport
from gnomon.labels.label_counts import LabelStatus
from gnomon.quantities import plural, rough_duration

__all__ = ["show_import", "show_status"]

_DAY = 86_400
_REASONS = {
    "not_logged": "the log has no such row",
    "older_than_log": "from before the log's first row",
    "not_answered": "the row was not answered",
    "ambiguous": "more than one row answers to it",
}

_NO_VALUES = (
    "A row without a value is not known yet, and changes nothing. With a correction number above "
    "0, as by --correction 1, it withdraws a label."
)


def show_import(result: LabelImport, model: str | None) -> None:
    """Print what became of the rows of a file, the first that were refused, and what is next."""
    parts = [f"{result.stored:,} stored"]
    if result.known:
        parts.append(f"{result.known:,} imported before")
    if result.empty:
        parts.append(f"{result.empty:,} without a value")
    if result.refused:
        parts.append(f"{result.refused:,} refused")
    says = f"{plural(result.rows, 'row')}: {', '.join(parts)}"
    if result.withdrawn:
        says += f"; {result.withdrawn:,} of them withdraw{'s' * (result.withdrawn == 1)} a label"
    out.print(says, markup=False, soft_wrap=True)
    for one in result.examples:
        field = f", {one.field}" if one.field else ""
        out.print(f"  row {one.row:,}{field}: {one.message}", markup=False, soft_wrap=True)
    if result.refused > len(result.examples):
        out.print(f"  and {result.refused - len(result.examples):,} more")
    if result.empty and not result.stored + result.known:
        out.print(_NO_VALUES, markup=False, soft_wrap=True)
    if result.stored or result.known:
        of = "" if model is None else f" --model {model}"
        out.print(
            f"`gnomon labels status{of}` says how many found their row.",
            markup=False,
            soft_wrap=True,
        )


def show_status(status: LabelStatus) -> None:
    """Print the share of labelled rows by age, the fates of labels, and examples."""
    out.print(f"[bold]{escape(status.overview().title)}[/]")
    ages = columns("age in days", "answered", "labelled", "share")
    for age in status.ages:
        if age.answered:
            part = share(age.labelled / age.answered)
            ages.add_row(age.days, f"{age.answered:,}", f"{age.labelled:,}", part)
    out.print(ages)
    fates = ", ".join(f"{count:,} {fate}" for fate, count in status.fates.items() if count)
    out.print(f"\n{plural(status.received, 'label')} received: {fates or 'none'}")
    if status.known_after_days is not None:
        median, most = (rough_duration(days * _DAY) for days in status.known_after_days)
        out.print(
            f"half were known within {median} of the request, 90% within {most}; "
            f"{status.late:,} late"
        )
    if status.early:
        out.print(f"{status.early:,} were known before their request arrived: is known_at right?")
    for reason, count in sorted(status.unmatched.items()):
        out.print(f"unmatched, {_REASONS[reason]}: {count:,}")
    _show_examples(status)


def _show_examples(status: LabelStatus) -> None:
    if not status.examples:
        return
    table = columns("resolution", "about", "label", "source", "received", whole=("received",))
    for one in status.examples:
        target = "" if one.target is None else f"{one.target}: "
        value = "withdrawn" if one.value is None else one.value
        table.add_row(
            one.reason or one.fate,
            escape(one.about),
            escape(f"{target}{value}"),
            escape(one.source or "-"),
            local(one.received_at),
        )
    out.print()
    out.print(table)
    left = status.fates["contradictory"] + status.fates["unmatched"] - len(status.examples)
    if left > 0:
        out.print(f"and {left:,} more: gnomon labels status --all")
