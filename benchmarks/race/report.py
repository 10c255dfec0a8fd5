"""A race's results as Markdown; ``python -m benchmarks.race.report FILE`` prints it again."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.race.contenders import BASE, CONTENDERS
from benchmarks.race.load import Figure
from benchmarks.race.results import Results

__all__ = ["markdown", "ratios", "spread"]

OURS = [contender.name for contender in CONTENDERS if contender.shadowed is not None]
LOGGED, UNLOGGED = OURS[1:]


def markdown(results: Results) -> str:
    """Return the versions, a table per pipeline, and the ratios that matter."""
    parts = [
        f"{results.machine}. {results.rounds} rounds, {results.seconds} s a measurement; medians, "
        "with minimum and maximum over the rounds.",
        "\n".join(_versions(results)),
    ]
    for case in results.figures:
        parts += [
            f"### {case}",
            "\n".join(_table(results, case)),
            "\n".join(_findings(results, case)),
        ]
        parts += [f"Left out: {name}. {why}" for name, why in results.reasons.get(case, {}).items()]
    return "\n\n".join(part for part in parts if part)


def ratios(left: Sequence[Figure], right: Sequence[Figure]) -> list[float]:
    """Return requests a second of the first divided by those of the second, round by round."""
    return [
        a.per_second / b.per_second if b.per_second else math.inf
        for a, b in zip(left, right, strict=True)
    ]


def spread(values: Sequence[float], form: str = ",.1f") -> str:
    """Return ``median (minimum to maximum)``."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


def _versions(results: Results) -> Iterator[str]:
    """Return what all environments share, then what each has in addition."""
    found = results.versions
    every = set.intersection(*(set(versions.items()) for versions in found.values()))
    if every:
        shared = ", ".join(f"{name} {number}" for name, number in sorted(every))
        yield f"* All: {shared}."
    lines: dict[str, list[str]] = {}
    for contender, versions in found.items():
        own = ", ".join(f"{n} {v}" for n, v in sorted(versions.items()) if (n, v) not in every)
        lines.setdefault(own, []).append(contender)
    for own, contenders in lines.items():
        if own:
            yield f"* {'; '.join(contenders)}: {own}."


def _table(results: Results, case: str) -> Iterator[str]:
    yield "| service | connections | requests/s | p50 ms | p99 ms | gnomon's requests/s over it |"
    yield "|---|---:|---:|---:|---:|---:|"
    base = results.figures[case].get(BASE, {})
    for name, counts in results.figures[case].items():
        for count, figures in counts.items():
            errors = sum(figure.errors for figure in figures)
            over = spread(ratios(base[count], figures)) if count in base and name != BASE else ""
            yield (
                f"| {name} | {count} | {spread([f.per_second for f in figures], ',.0f')} "
                f"| {_milliseconds([f.p50 for f in figures])} "
                f"| {_milliseconds([f.p99 for f in figures])} | {over} |"
                + (f" {errors} errors" if errors else "")
            )


def _milliseconds(values: Sequence[float]) -> str:
    """Return the median, or nothing if a round had no answer."""
    return f"{statistics.median(values):,.1f}" if all(values) else "-"


def _findings(results: Results, case: str) -> Iterator[str]:
    counts = results.figures[case]
    base = counts.get(BASE)
    if base is None:
        return
    most = max(base)
    others = {name: found for name, found in counts.items() if name not in OURS}
    if others:
        best = max(others, key=lambda name: statistics.median(_rates(others[name][most])))
        over = spread(ratios(base[most], others[best][most]))
        yield f"* Connections: {most}. Log and full shadow: {over} times the best other, {best}."
    for own in (name for name in OURS if name in counts):
        medians = [figure.p50 for figure in counts[own].get(1, [])]
        for way, words in (("call", "the bare call"), ("frame_and_call", "frame and bare call")):
            floor = [found[way] for found in results.bare.get(case, [])]
            if medians and len(floor) == len(medians):
                times = [a / b for a, b in zip(medians, floor, strict=True)]
                yield (
                    f"* Connections: 1. {own}: median latency {spread(times, '.2f')} times that of "
                    f"{words} ({statistics.median(floor):.2f} ms)."
                )
    if LOGGED in counts and UNLOGGED in counts:
        for count, figures in counts[LOGGED].items():
            kept = spread([100 * r for r in ratios(figures, counts[UNLOGGED][count])])
            yield f"* Connections: {count}. With the log, {kept} % of the requests/s without it."


def _rates(figures: Sequence[Figure]) -> list[float]:
    return [figure.per_second for figure in figures]


if __name__ == "__main__":
    print(markdown(Results.read(Path(sys.argv[1]))))
