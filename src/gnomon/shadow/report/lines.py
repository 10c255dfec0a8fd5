"""The lines of text the terminal and the page share."""

from __future__ import annotations

from gnomon.shadow.report import numbers
from gnomon.shadow.report.model import Column, Report, Walk
from gnomon.shadow.report.numbers import count, percent, rows, signed

__all__ = ["coverage", "figures", "identity", "reproduced", "spread", "summary"]

Lines = list[tuple[str, str]]


def summary(report: Report) -> Lines:
    """What, where, since when, how many, how sure, what to do."""
    said = report.summary
    return [
        ("What", said.what),
        ("Where", said.where),
        ("Since", said.since),
        ("How many", said.how_many),
        ("How sure", said.how_sure),
        ("What to do", said.action),
    ]


def figures(report: Report) -> Lines:
    """The handful of numbers to look at first."""
    found = [
        (count(report.coverage.compared), "rows compared"),
        (
            percent(report.divergence.share),
            f"of rows diverge ({count(report.divergence.rows)})",
        ),
    ]
    if report.impact:
        flips, mean = report.impact.flips, report.impact.mean_change
        found.append((percent(flips.share), f"of decisions change ({count(flips.rows)})"))
        if mean is not None:
            found.append((numbers.number(mean, 3), f"mean change of the {report.impact.score}"))
    exact = _share(report.exact, report.coverage.compared)
    return [*found, (percent(exact), "of rows equal to the bit")]


def spread(column: Column) -> str:
    """Median and 5% to 95% of the difference: ``+4 (+4 to +5)``; empty for labels."""
    q = column.quantiles
    if not q:
        return ""
    middle, low, high = signed(q["p50"]), signed(q["p05"]), signed(q["p95"])
    return middle if low == middle == high else f"{middle} ({low} to {high})"


def reproduced(walk: Walk) -> str:
    """Whether the steps shown are the steps the logged answers came from."""
    said = f" {rows(walk.lost)} of the sample could not be run again." if walk.lost else ""
    if walk.reproduced == walk.rows:
        return f"Re-running them gave every logged answer again, to the bit.{said}"
    return (
        f"Re-running gave only {count(walk.reproduced)} of the logged answers again, so the steps "
        f"may not be what was computed online.{said}"
    )


def coverage(report: Report) -> Lines:
    """Which rows were compared, and which were not and why."""
    found = [
        ("Logged in range", rows(report.coverage.logged)),
        ("Compared", _of(report.coverage.compared, report.coverage.logged)),
    ]
    found += [
        (
            _sentence(met.reason),
            rows(met.rows) + (f", such as {met.example}" if met.example else ""),
        )
        for met in (*report.coverage.skipped, *report.coverage.unanswered)
    ]
    if table := report.table:
        found.append(("Table", table.path))
        found.append(("Joined on", ", ".join(table.on)))
        found.append(("Table rows matched", _of(table.matched, table.rows)))
        if table.unmatched:
            found.append(("Table only, such as", table.unmatched))
        if table.repeated:
            found.append(("Logged again", f"{rows(table.repeated)} with the key of another"))
        found += [(f"Column {name} ignored", reason) for name, reason in table.ignored.items()]
    return found


def identity(report: Report) -> Lines:
    """What was compared with what, and on what."""
    subject = report.subject
    return [
        ("Model", subject.model),
        ("Artifact", f"{subject.artifact}, {subject.role}"),
        ("Digest", subject.digest[:12]),
        ("Against", report.against),
        ("Policy", f"{report.policy} lets {percent(report.limit)} pass ({report.limit_name})"),
        *report.environment.items(),
        ("Made", f"{numbers.moment(report.created)} UTC"),
    ]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _of(part: int, whole: int) -> str:
    return f"{count(part)} of {rows(whole)} ({percent(_share(part, whole))})"
