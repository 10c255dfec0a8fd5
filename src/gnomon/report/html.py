"""A report as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from gnomon.printable import printable_value
from gnomon.report import numbers, plots
from gnomon.report.counts import Column
from gnomon.report.diagnosis import Walk
from gnomon.report.lines import (
    causes,
    coverage,
    figures,
    identity,
    ladder,
    reproduced,
    spread,
    summary,
    swaps,
)
from gnomon.report.model import Cell, Distribution, OverTime, Report

__all__ = ["environment", "source", "to_html"]

_COLUMNS_PER_STEP = 6
_COURSES = 20


def to_html(report: Report) -> str:
    """The page. It names no other file and no address."""
    names = (report.left, report.right)
    shapes = [
        (shape, plots.histogram(shape, names) if shape.edges else None, plots.pairs(shape))
        for shape in report.distributions
    ]
    template = environment().get_template("report.html")
    return template.render(
        report=report,
        style=Markup(source("style.css")),
        summary=summary(report),
        figures=figures(report),
        coverage=coverage(report),
        identity=identity(report),
        causes=causes(report.diagnosis) if report.diagnosis else [],
        rungs=ladder(report),
        swaps=swaps(report),
        reproduced=reproduced(report.walk) if report.walk else "",
        timeline=plots.over_time(report.timeline) if report.timeline else None,
        courses=list(_courses(report)),
        steps=list(_steps(report.walk)) if report.walk else [],
        shapes=shapes,
    )


@dataclass(frozen=True, slots=True)
class _Course:
    column: OverTime
    bars: tuple[plots.Bar, ...]
    worst: str


def _courses(report: Report) -> Iterator[_Course]:
    """The columns that differ at some time, on one axis of time."""
    if not report.over_time:
        return
    width = max(column.seconds for column in report.over_time)
    starts = [numbers.seconds(m.start) for c in report.over_time for m in c.moments]
    begin, end = min(starts), max(starts) + width
    differing = [c for c in report.over_time if any(m.consistency < 1 for m in c.moments)]
    for column in differing[:_COURSES]:
        worst = min(column.moments, key=lambda moment: moment.consistency)
        yield _Course(
            column,
            plots.course(column, begin, end),
            f"{numbers.percent(1 - worst.consistency)} "
            f"at {numbers.moment(worst.start, column.seconds)}",
        )


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    note: str
    differing: tuple[Column, ...]
    more: int


def _steps(walk: Walk) -> Iterator[_Step]:
    """The walk's columns by step; of each step those that differ, up to a handful."""
    for step, group in groupby(walk.columns, key=lambda column: column.place):
        columns = list(group)
        differing = [column for column in columns if column.diverged]
        total = numbers.plural(len(columns), "column")
        yield _Step(
            name=step,
            note=f"{len(differing)} of {total} differ" if differing else f"{total}, all equal",
            differing=tuple(differing[:_COLUMNS_PER_STEP]),
            more=max(len(differing) - _COLUMNS_PER_STEP, 0),
        )


@cache
def environment() -> Environment:
    """Where the pages' templates are, and how they write numbers."""
    found = Environment(
        loader=PackageLoader("gnomon.report"),
        autoescape=True,
        finalize=printable_value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "axis": numbers.axis,
        "count": numbers.count,
        "duration": numbers.duration,
        "moment": numbers.moment,
        "pair": _pair,
        "percent": numbers.percent,
        "percent_of": _percent_of,
        "rows": numbers.rows,
        "spread": spread,
        "ticks": _ticks,
        "value": numbers.value,
    }
    found.filters.update(filters)
    return found


def source(name: str) -> str:
    """A template as it is."""
    pages = environment()
    assert pages.loader is not None
    return pages.loader.get_source(pages, name)[0]


def _percent_of(shape: Distribution) -> str:
    whole = f"% of {numbers.rows(shape.rows)}"
    sampled = numbers.count(shape.sampled)
    return whole if shape.sampled == shape.rows else f"{whole}, estimated from {sampled}"


def _pair(cell: Cell) -> tuple[str, str]:
    return numbers.pair(cell.left, cell.right)


def _ticks(text: str) -> Markup:
    """Text with `names` in backticks as code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("".join(f"<code>{p}</code>" if at % 2 else p for at, p in enumerate(parts)))
