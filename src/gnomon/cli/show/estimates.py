"""Print quality that is estimated before labels."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from gnomon.cli.console import columns, local, out
from gnomon.estimates import EstimatedChunk, QualityEstimate
from gnomon.estimates.estimate_report import EstimateReport
from gnomon.quantities import plural

__all__ = ["show_estimates"]

_NUMBERS = re.compile(r" \([^()]*\)|[0-9][0-9.,]*%?")


def show_estimates(report: EstimateReport) -> None:
    """Print each artifact: what its estimates rest on, the chunks, and how true they came."""
    for found in report.artifacts:
        _say(f"{found.artifact}, {found.role}: {_rests_on(found)}")
        if found.method is None:
            continue
        if not found.chunks:
            _say("No rows have arrived since.")
            continue
        out.print(_table(found))
        for line in _notes(found):
            _say(line)
    _say("Estimates assume that labels follow from the inputs as before. No gate rests on them.")


def _say(line: str) -> None:
    out.print(line, markup=False, soft_wrap=True)


def _rests_on(found: QualityEstimate) -> str:
    reference = found.reference
    if reference is None or found.method is None:
        return f"UNKNOWN, {found.reason}"
    source = "" if reference.source == "log" else f" of {reference.source}"
    until = f" until {local(reference.until)}" if reference.until else ""
    sample = f", {reference.used:,} of them used" if reference.used < reference.rows else ""
    raw = ", probabilities as they are" if reference.calibrated is False else ""
    return (
        f"estimated by {found.method} from {plural(reference.rows, 'labelled row')}{source}{until}"
        f"{sample}{raw}"
    )


def _table(found: QualityEstimate) -> Table:
    table = columns("from", "rows", "metric", "reference", "estimate", "interval", "realised",
                    "labelled", "")  # fmt: skip
    losses = {} if found.reference is None else found.reference.losses
    for chunk in found.chunks:
        first = [local(chunk.start), f"{chunk.rows:,}"]
        for metric in chunk.metrics:
            known = "UNKNOWN" if metric.estimate is None else f"{metric.estimate:.4g}"
            ends = "" if metric.interval is None else _ends(metric.interval)
            judged = {None: "", True: "as estimated", False: "not as estimated"}
            table.add_row(
                *first, escape(metric.metric), _number(losses.get(metric.metric)), known, ends,
                _number(metric.realised), f"{metric.labelled:,}", judged[metric.as_estimated],
            )  # fmt: skip
            first = ["", ""]
    return table


def _notes(found: QualityEstimate) -> Iterable[str]:
    unknown: dict[str, list[EstimatedChunk]] = {}
    for chunk in found.chunks:
        if chunk.reason:
            unknown.setdefault(_without_numbers(chunk.reason), []).append(chunk)
    for chunks in unknown.values():
        first = chunks[0]
        where = f"from {local(first.start)}"
        if len(chunks) > 1:
            where = f"in {plural(len(chunks), 'chunk')}, the first {where}"
        yield f"UNKNOWN {where}: {first.reason}"
    for metric in dict.fromkeys(m.metric for chunk in found.chunks for m in chunk.metrics):
        judged = list(_judged(found.chunks, metric))
        if judged:
            yield (
                f"{metric}: realised as estimated in {sum(judged)} of "
                f"{plural(len(judged), 'chunk')} with labels"
            )


def _without_numbers(reason: str) -> str:
    """Return a reason without what differs between chunks of the same one."""
    return _NUMBERS.sub("", reason)


def _judged(chunks: Iterable[EstimatedChunk], metric: str) -> Iterable[bool]:
    for chunk in chunks:
        for found in chunk.metrics:
            if found.metric == metric and found.as_estimated is not None:
                yield found.as_estimated


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _ends(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.4g} to {interval[1]:.4g}"
