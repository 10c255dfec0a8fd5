"""The numbers of units that docs/gates.md and the README say are needed to pass."""

import re
from bisect import bisect_left
from pathlib import Path

from benchmarks.noise_floor_rows import rows_until_decided
from gnomon.compare.mean_interval import mean_interval
from gnomon.policy import Policy
from gnomon.rollout.evidence.batch_times import batches_needed
from gnomon.rollout.evidence.settling import FIRST_PART

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "gates.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
POLICY = (ROOT / "docs" / "policy.md").read_text("utf-8")
EACH = Policy().confidence_of_each(1)


def fewest(limit: float, error_part: float) -> int:
    """How many units pass, if none is bad."""
    confidence = 1 - (1 - EACH) * error_part

    def passes(units: int) -> bool:
        return mean_interval([0], confidence, counts=[units]).high <= limit

    return 1 + bisect_left(range(1, 10_000), True, key=passes)


def numbers(pattern: str, page: str) -> list[int]:
    found = re.search(pattern, " ".join(page.split()))
    assert found is not None, pattern
    return [int(each.replace(",", "")) for each in found.groups()]


def test_the_fewest_units_that_pass_are_those_that_are_said() -> None:
    """Where entities come back only a part of the error is for the first hour."""
    of_blocks = numbers(r"at least ([\d,]+) units are needed to pass, so ([\d,]+) rows", PAGE)
    assert of_blocks == [fewest(0.05, 1), 500 * fewest(0.05, 1)]
    of_entities = numbers(r"at least ([\d,]+) entities are needed to pass", PAGE)
    assert of_entities == [fewest(0.05, FIRST_PART)]
    pattern = r"takes ([\d,]+) flowers .* it would take ([\d,]+), and for 1% ([\d,]+)\."
    assert numbers(pattern, README) == [fewest(limit, FIRST_PART) for limit in (0.1, 0.05, 0.01)]


def test_the_fewest_batches_are_those_that_are_said() -> None:
    """In both pages."""
    assert numbers(r"defaults ([\d,]+) batches of one row", PAGE) == [batches_needed(0, EACH)]
    assert numbers(r"for one: ([\d,]+) of single rows", POLICY) == [batches_needed(0, EACH)]


def test_the_table_of_a_noise_floor_is_what_the_benchmark_prints() -> None:
    """Its first two columns; the others take long."""
    table = re.findall(
        r"^\| (\d+)% \| (?:pass|fail) \| ([\d,]+) \| ([\d,]+) \|", PAGE, re.MULTILINE
    )
    assert len(table) == 6
    for share, without, least in table:
        rows = [rows_until_decided(int(share) / 100, floor, 0.05) for floor in (0, 0.02)]
        assert [f"{each:,}" for each in rows] == [without, least]
