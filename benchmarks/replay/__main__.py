"""What replaying a log costs, compared with reading it and calling the bare pipeline.

``python -m benchmarks.replay [--rows 1000000] [--rounds 3]``. The flights' logistic regression has
answered requests of ten rows, and the log with their bodies is sealed. Timed by turns, each in a
process of its own: reading the log's columns and bodies and calling ``predict_proba`` on frames of
the logged inputs, once the pipeline is loaded; and a replay, from the start of its worker to its
report. Memory is the peak of the process, and apart from it that of the replay's worker. A log of
a tenth of the rows is replayed too: with it memory must be the same.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from benchmarks.race.results import machine
from benchmarks.replay.log import packed
from benchmarks.replay.turns import Found, arguments, in_turns, keep, spread

OUT = Path(__file__).parents[1] / "results" / "replay.json"

NAMES = ("bare", "replay")
SOUGHT = 1.25


def main() -> None:
    """Write the logs, measure by turns, report."""
    asked = arguments("replay", __doc__, OUT)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        print("training and packing", flush=True)
        artifact = packed(Path(folder))
        tenth = in_turns(NAMES, artifact, asked.rows // 10, 1, Path(folder, "tenth"))
        whole = in_turns(NAMES, artifact, asked.rows, asked.rounds, Path(folder, "whole"))
    ratios = [one["replay"]["seconds"] / one["bare"]["seconds"] for one in whole]
    show(whole, ratios)
    keep(asked.out, {"tenth": tenth, "rounds": whole, "ratios": ratios})


def show(rounds: list[dict[str, Found]], ratios: list[float]) -> None:
    """Print medians, with minimum and maximum."""
    print(f"\n{machine()}. {len(rounds)} rounds.")
    for name in rounds[0]:
        print(f"{name:<8}{spread([one[name]['seconds'] for one in rounds])} s")
    reached = "reached" if statistics.median(ratios) <= SOUGHT else "not reached"
    print(f"replay over bare: {spread(ratios)}; sought {SOUGHT}, {reached}")


if __name__ == "__main__":
    main()
