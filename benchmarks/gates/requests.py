"""Requests of many customers' rows: ``python -m benchmarks.gates.requests --runs 500``.

Each request has 1 to 500 rows, of as many of 3,000 customers, and is bad as a whole with a
probability that is the limit, 5%: each decision is false. Looked at after every request. A gate
decides by `gnomon.compare.mean_interval`, and

entities
    by the first row of each customer, as if customers were independent;
entities and requests
    by both, combined as gates do.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import stats

from gnomon.compare.e_values import log_e_values
from gnomon.compare.two_way import combined_evidence
from gnomon.rollout.evidence.settling import FIRST_PART

LIMIT = 0.05
ALPHA = 0.05 * FIRST_PART
CUSTOMERS = 3_000
REQUESTS = 400
MOST_ROWS = 500

WAYS = ("entities", "entities and requests")

Floats = npt.NDArray[np.float64]


def requests(rng: np.random.Generator) -> Iterator[tuple[npt.NDArray[np.int64], bool]]:
    """Yield the customers of each request, and whether its rows are bad."""
    for rows in rng.integers(1, MOST_ROWS, REQUESTS, endpoint=True):
        yield rng.choice(CUSTOMERS, rows, replace=False), bool(rng.random() < LIMIT)


def decided(rng: np.random.Generator) -> dict[str, int]:
    """Return the side of the limit on which each way decided first; 0 if it did not."""
    sides = dict.fromkeys(WAYS, 0)
    first = np.full(CUSTOMERS, np.nan)
    by_request, by_row = np.zeros(2), np.zeros(2)
    for customers, bad in requests(rng):
        first[customers] = np.where(np.isnan(first[customers]), bad, first[customers])
        by_request[int(bad)] += 1
        by_row[int(bad)] += len(customers)
        known = first[~np.isnan(first)]
        by_entity = np.array([(known == 0).sum(), (known == 1).sum()], np.float64)
        kinds = [by_entity, by_request]
        entities, of_requests, rows = (_evidence(counts) for counts in (*kinds, by_row))
        evidence = (entities, float(combined_evidence([entities, of_requests], rows)))
        for way, found, means in zip(WAYS, evidence, (kinds[:1], kinds), strict=True):
            if not sides[way] and found >= -math.log(ALPHA):
                sides[way] = _side([*means, by_row])
    return sides


def _evidence(counts: Floats) -> float:
    return float(log_e_values(counts, np.array([0.0, 1.0]), LIMIT))


def _side(counts: list[Floats]) -> int:
    """Return -1 where all means pass, 1 where all fail, 0 for neither."""
    bad = [each[1] / each.sum() > LIMIT for each in counts]
    return 1 if all(bad) else 0 if any(bad) else -1


def main() -> None:
    """Simulate, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=500)
    runs = parser.parse_args().runs
    rng = np.random.default_rng(20_000)
    found = [decided(rng) for _ in range(runs)]
    print("| units | decided, each time falsely |\n|---|--:|")
    for way in WAYS:
        false = sum(run[way] != 0 for run in found)
        low, high = stats.binomtest(false, runs).proportion_ci(0.95, "exact")
        print(f"| {way} | {false / runs:.1%} ({low:.1%} to {high:.1%}) |")


if __name__ == "__main__":
    main()
