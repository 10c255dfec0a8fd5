"""How many rows a standing noise floor costs a gate: ``python -m benchmarks.noise_floor_rows``.

Rows are independent, a fixed share of them disagrees, and live never disagrees with itself. The
gate is that of the defaults, for one candidate: a limit of 5%, and half of the allowed error each
for the shadow's interval and the floor's. It is decided when the difference of the two is on one
side of the limit.
"""

from __future__ import annotations

from bisect import bisect_left

from gnomon.compare.mean_interval import mean_interval
from gnomon.policy import Policy

SHARES = (0.0, 0.02, 0.08, 0.1, 0.2, 0.5)
FLOORS = (0.0, 0.02, 0.05, 0.1)
MOST_ROWS = 100_000


def main() -> None:
    """Print the table."""
    print("| true share that disagrees | decided | without a floor | "
          + " | ".join(f"`noise_floor = {floor:g}`" for floor in FLOORS[1:]) + " |")  # fmt: skip
    print("|---:|---|" + "---:|" * len(FLOORS))
    limit = Policy().gates.max_disagreement
    assert limit is not None
    for share in SHARES:
        cells = [f"{rows_until_decided(share, floor, limit):,}" for floor in FLOORS]
        print(f"| {share:.0%} | {'fail' if share > limit else 'pass'} | {' | '.join(cells)} |")


def rows_until_decided(share: float, floor: float, limit: float) -> int:
    """Return after how many rows the gate is decided."""
    confidence = Policy().confidence_of_each(1)
    if floor:
        confidence = (1 + confidence) / 2

    def decides(rows: int) -> bool:
        counts = [rows * (1 - share), rows * share]
        low, high = mean_interval([0, 1], confidence, counts=counts)
        most = mean_interval([0], confidence, counts=[rows * floor]).high if floor else 0.0
        return high <= limit or low - most > limit

    return 1 + bisect_left(range(1, MOST_ROWS), True, key=decides)


if __name__ == "__main__":
    main()
