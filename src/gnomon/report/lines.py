"""The lines of text in the report of a comparison."""

from __future__ import annotations

from collections.abc import Iterator

from gnomon import quantities
from gnomon.quantities import count, percent, rows, signed
from gnomon.report import numbers
from gnomon.report.counts import Column, Count
from gnomon.report.diagnosis import Diagnosis, Walk
from gnomon.report.document import Sign
from gnomon.report.model import Report

__all__ = [
    "DIFFERS",
    "EQUAL",
    "causes",
    "coverage",
    "figures",
    "identity",
    "reproduced",
    "sign",
    "spread",
]

DIFFERS, EQUAL = Sign("≠", "bad"), Sign("=", "good")

Lines = list[tuple[str, str]]


def figures(report: Report) -> Lines:
    """Return the few numbers to look at first."""
    lines = [
        (count(report.coverage.compared), "rows compared"),
        (
            percent(report.divergence.share),
            f"of rows diverge ({count(report.divergence.rows)})",
        ),
    ]
    if report.impact:
        flips, mean = report.impact.flips, report.impact.mean_change
        lines.append((percent(flips.share), f"of decisions change ({count(flips.rows)})"))
        if mean is not None:
            lines.append((quantities.number(mean, 3), f"mean change of the {report.impact.score}"))
    exact = _share(report.exact, report.coverage.compared)
    return [*lines, (percent(exact), "of rows bit-identical")]


def causes(diagnosis: Diagnosis) -> list[tuple[str, Diagnosis, str]]:
    """Return for each cause its name, its diagnosis, and a line with where and how much."""
    return [
        (_name(cause), cause, "; ".join(_about(cause))) for cause in (diagnosis, *diagnosis.also)
    ]


def sign(differs: bool) -> Sign:
    """Return the sign of whether two sides differ."""
    return DIFFERS if differs else EQUAL


def _name(diagnosis: Diagnosis) -> str:
    return "unknown cause" if diagnosis.verdict == "unknown" else diagnosis.cause


def _about(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.name:
        more = (
            f" and {quantities.plural(len(diagnosis.columns), 'more column')}"
            if diagnosis.columns
            else ""
        )
        yield f"`{diagnosis.name}`{more}" + (
            f", output of step {diagnosis.step}" if diagnosis.step else ""
        )
    if diagnosis.segment:
        yield f"where {diagnosis.segment}"
    if diagnosis.since:
        yield f"since {numbers.utc_time(diagnosis.since)} UTC"
    if diagnosis.accounts and not diagnosis.accounts.rows and not diagnosis.moves:
        yield "changes no answer"
    elif diagnosis.accounts:
        share = diagnosis.accounts
        yield f"accounts for {count(share.rows)} of {rows(share.of)} that diverge"
    if diagnosis.moves:
        yield f"moves the answer by {quantities.number(diagnosis.moves, 3)} on average"


def spread(column: Column) -> str:
    """Write the difference's median and 5% to 95%, as ``+4 (+4 to +5)``; empty for labels."""
    q = column.quantiles
    if not q:
        return ""
    middle, low, high = signed(q["p50"]), signed(q["p05"]), signed(q["p95"])
    return middle if low == middle == high else f"{middle} ({low} to {high})"


def reproduced(walk: Walk) -> str:
    """Write whether running the rows again reproduced the logged answers."""
    lost = f" {rows(walk.lost)} of the sample could not be run again." if walk.lost else ""
    if walk.reproduced == walk.rows:
        return f"Re-running them reproduced every logged answer bit for bit.{lost}"
    return (
        f"Re-running reproduced only {count(walk.reproduced)} of the logged answers, so the steps "
        f"may differ from those computed online.{lost}"
    )


def coverage(report: Report) -> Lines:
    """List which rows were compared, and which were not and why."""
    lines = [
        (
            ("Read until the limit", f"{rows(report.coverage.logged)}; the range has more")
            if report.coverage.stopped
            else ("Logged in range", rows(report.coverage.logged))
        ),
        ("Compared", _part_of(report.coverage.compared, report.coverage.logged)),
    ]
    lines += map(_reason_line, (*report.coverage.skipped, *report.coverage.unanswered))
    if table := report.table:
        lines.append(("Table", table.path))
        lines.append(("Joined on", ", ".join(table.on)))
        keys = table.rows if table.keys is None else table.keys
        if keys != table.rows:
            lines.append(
                ("Table rows", f"{count(table.rows)}, of {quantities.plural(keys, 'key')}")
            )
        lines.append(("Table keys matched", _part_of(table.matched, keys, "key")))
        if table.known_later:
            lines.append(_reason_line(table.known_later))
        if table.unmatched:
            lines.append(("Table only, such as", table.unmatched))
        if table.repeated:
            lines.append(("Logged again", f"{rows(table.repeated)} with the key of another row"))
        lines += [(f"Column {name} ignored", reason) for name, reason in table.ignored.items()]
    return lines


def identity(report: Report) -> Lines:
    """List what was compared, under which policy and in which environment."""
    subject = report.subject
    return [
        ("Model", subject.model),
        ("Artifact", f"{subject.artifact}, {subject.role}"),
        ("Digest", subject.digest[:12]),
        ("Against", report.against),
        ("Policy", f"{report.policy}: limit {percent(report.limit)} ({report.limit_name})"),
        *report.environment.items(),
        ("Made", f"{numbers.utc_time(report.created)} UTC"),
    ]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _part_of(part: int, whole: int, noun: str = "row") -> str:
    return f"{count(part)} of {quantities.plural(whole, noun)} ({percent(_share(part, whole))})"


def _reason_line(count_with_reason: Count) -> tuple[str, str]:
    example = f", such as {count_with_reason.example}" if count_with_reason.example else ""
    return _sentence(count_with_reason.reason), rows(count_with_reason.rows) + example
