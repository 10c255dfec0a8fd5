"""The plot of a race, as an SVG: ``python -m benchmarks.race.plot [RESULTS] [SVG]``.

Made by hand, because it has to be read on a phone (420 units wide, text of 12) and in dark mode.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from benchmarks.race.contenders import BASE
from benchmarks.race.report import OURS
from benchmarks.race.results import Results

__all__ = ["plot"]

ROOT = Path(__file__).resolve().parents[2]

WIDTH, ROW, HEAD = 420, 23, 52
LEFT, RIGHT = 212, 364
"""Where bars begin and where the longest ends; its figure stands to the right of it."""

TITLES = {
    "flights-logistic": "Flights, logistic regression",
    "flights-boosting": "Flights, gradient boosting",
    "texts": "Texts, TF-IDF and logistic regression",
}

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1b1f24; }
.head { font-size: 14px; font-weight: 600; }
.ours { font-weight: 600; }
.small { fill: #57606a; }
.bar { fill: #afb8c1; }
.bar.ours { fill: #bf8700; }
.range { stroke: #1b1f24; stroke-width: 1.2; fill: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9da7b1; }
  .bar { fill: #57606a; }
  .range { stroke: #e6edf3; }
}
"""


def plot(results: Results) -> str:
    """Plot requests a second at the most connections that all pipelines were measured with."""
    count = max(set.intersection(*(_counts(results, case) for case in results.figures)))
    parts: list[str] = []
    top = 44
    for case in results.figures:
        rates = {
            name: [figure.per_second for figure in by_count[count]]
            for name, by_count in results.figures[case].items()
        }
        parts += _panel(TITLES[case], rates, top)
        top += HEAD + ROW * len(rates)
    title = _finding(results, count)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" '
        f'width="{WIDTH}" height="{top}" role="img" aria-labelledby="title">\n'
        f"<style>{STYLE}</style>\n"
        f'<title id="title">{escape(title)}</title>\n'
        f'<text class="head" x="8" y="20">{escape(title)}</text>\n'
        f'<text class="small" x="8" y="38">requests/s on {count} connections; line: lowest to '
        "highest</text>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _counts(results: Results, case: str) -> set[int]:
    return set.intersection(*(set(counts) for counts in results.figures[case].values()))


def _finding(results: Results, count: int) -> str:
    """Return what the plot shows, with the smallest lead of all pipelines."""
    leads = []
    for figures in results.figures.values():
        medians = {
            name: statistics.median(figure.per_second for figure in counts[count])
            for name, counts in figures.items()
        }
        others = [rate for name, rate in medians.items() if name not in OURS]
        if BASE in medians and others:
            leads.append(medians[BASE] / max(others))
    if not leads:
        return "Requests a second"
    return f"With log and shadow, {min(leads):.1f} times the next or more"


def _panel(title: str, rates: Mapping[str, Sequence[float]], top: int) -> Iterator[str]:
    longest = max(max(values) for values in rates.values()) or 1.0  # nothing was answered
    yield f'<text class="ours" x="8" y="{top + 30}">{escape(title)}</text>'
    for number, (name, values) in enumerate(rates.items()):
        yield from _row(name, values, longest, top + 38 + ROW * number)


def _row(name: str, values: Sequence[float], longest: float, top: int) -> Iterator[str]:
    """Draw name, bar, range and figure; ours are bold as well as coloured."""

    def at(rate: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * rate / longest, 1)

    middle, low, high = statistics.median(values), min(values), max(values)
    ours, base = " ours" if name in OURS else "", top + 16
    yield f'<text class="label{ours}" x="8" y="{base}">{escape(name)}</text>'
    yield (
        f'<rect class="bar{ours}" x="{LEFT}" y="{top + 4}" width="{at(middle) - LEFT:.1f}" '
        f'height="{ROW - 8}" rx="2"/>'
    )
    yield f'<path class="range" d="M{at(low)} {top + 11.5}H{at(high)}"/>'
    yield f'<text class="figure{ours}" x="{at(high) + 6}" y="{base}">{middle:,.0f}</text>'


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.race.plot", description=__doc__)
    parser.add_argument(
        "results", nargs="?", type=Path, default=ROOT / "benchmarks/results/serve.json"
    )
    parser.add_argument("svg", nargs="?", type=Path, default=ROOT / "docs/race.svg")
    asked = parser.parse_args()
    asked.svg.write_text(plot(Results.read(asked.results)))
    print(f"The plot: {asked.svg}")


if __name__ == "__main__":
    main()
