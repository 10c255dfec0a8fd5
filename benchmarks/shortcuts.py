"""What shortcuts save: milliseconds a call of the flights pipelines, with them and without.

``python -m benchmarks.shortcuts``. Both ways answer the same frames by turns; printed are medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import pandas as pd
import sklearn

from gnomon.pipeline.predicting import Predictor
from models.data import FEATURES, flights
from models.pipelines import boosting, logistic
from preprocessing.contract import contract

ROWS = (1, 64, 512)


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=100)
    asked = parser.parse_args()
    known = flights(1).dropna(subset="outcome")
    rows = known[list(FEATURES)]
    print(f"scikit-learn {sklearn.__version__}, pandas {pd.__version__}, {asked.calls} calls\n")
    print("| pipeline | rows | steps, ms | shortcuts, ms | ratio |\n|---|---:|---:|---:|---:|")
    for make in (logistic, boosting):
        pipeline = make().fit(rows, known["outcome"])
        promised = contract(rows, pipeline.classes_.tolist())
        steps, short = Predictor(pipeline, promised), Predictor(pipeline, promised)
        assert short.take_shortcuts(rows[:512])
        for count in ROWS:
            frame = rows[:count].reset_index(drop=True)
            assert short(frame).equals(steps(frame))
            slow, fast = by_turns((steps, short), frame, asked.calls)
            print(f"| {make.__name__} | {count} | {slow:.2f} | {fast:.2f} | {slow / fast:.1f} |")


def by_turns(ways: Sequence[Predictor], frame: pd.DataFrame, calls: int) -> list[float]:
    """Return the median milliseconds of each way."""
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(calls):
        for way, taken in zip(ways, times, strict=True):
            begun = time.perf_counter()
            way(frame)
            taken.append((time.perf_counter() - begun) * 1e3)
    return [statistics.median(taken) for taken in times]


if __name__ == "__main__":
    main()
