"""What measuring drift costs, compared with merely reading the log.

``python -m benchmarks.drift [--rows 1000000] [--rounds 3]``. The flights' logistic regression has
answered requests of ten rows, and the log is sealed. Timed by turns, each in a process of its own:
reading the logged inputs and outputs; and ``gnomon drift``, from opening the log to its report,
with the usual sample of rows run again for the steps. The same for a tenth of the rows: memory must
not grow with the log. Memory is the peak of the process, and apart from it that of its worker.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.race.results import machine
from benchmarks.replay.log import packed
from benchmarks.replay.turns import Found, arguments, in_turns, keep, spread

OUT = Path(__file__).parents[1] / "results" / "drift.json"
NAMES = ("read", "drift")


def main() -> None:
    """Write the logs, measure by turns, report."""
    asked = arguments("drift", __doc__, OUT)
    found = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        print("training and packing", flush=True)
        artifact = packed(Path(folder))
        for rows in (asked.rows // 10, asked.rows):
            root = Path(folder, str(rows))
            found[rows] = in_turns(NAMES, artifact, rows, asked.rounds, root)
    print(f"\n{machine()}. {asked.rounds} rounds.")
    for rows, rounds in found.items():
        show(rows, rounds)
    keep(asked.out, {"rounds": found})


def show(rows: int, rounds: list[dict[str, Found]]) -> None:
    """Medians, with minimum and maximum."""
    print(f"{rows:,} rows")
    for name in NAMES:
        took = spread([1e6 * one[name]["seconds"] / rows for one in rounds])
        print(
            f"  {name:<6}{took} microseconds a row, "
            f"{spread([one[name]['megabytes'] for one in rounds])} MB"
        )
    ratios = [one["drift"]["seconds"] / one["read"]["seconds"] for one in rounds]
    print(f"  drift over read: {spread(ratios)}")


if __name__ == "__main__":
    main()
