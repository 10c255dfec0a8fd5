"""Simulated streams, looked at after every batch; ``benchmarks.gates`` has the full table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.gates.simulation import fixed_sample_rows, simulate
from benchmarks.gates.streams import LOOK_EVERY, STREAMS, Stream
from benchmarks.gates.verdicts import CONFIDENCE, LIMIT, by_units, decided_at
from gnomon.compare.block_length import block_length, block_values
from gnomon.compare.mean_interval import mean_interval

RUNS = 60


def named(stream: Stream) -> str:
    """Name a case in the list of tests."""
    return f"{stream.name}, {stream.unit}"


def shares(entities: npt.NDArray[np.int64], bad: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Each entity's share of bad rows."""
    return np.array([bad[entities == one].mean() for one in np.unique(entities)])


@pytest.mark.slow
@pytest.mark.parametrize("stream", STREAMS, ids=named)
def test_a_gate_keeps_its_promise(stream: Stream) -> None:
    """False decisions are not significantly more than 5%, at any rate, the limit included."""
    outcomes = [outcome for outcome in simulate(stream, RUNS) if outcome.method == "gate"]
    assert [outcome for outcome in outcomes if outcome.breaks_the_promise()] == []


@pytest.mark.slow
def test_rows_as_units_do_not() -> None:
    """The same streams break it for rows and for a test made for one look, so they test it."""
    stream = next(stream for stream in STREAMS if stream.name == "bursts of 50")
    broken = {outcome.method for outcome in simulate(stream, RUNS) if outcome.breaks_the_promise()}
    assert broken == {"rows", "peeked"}


@pytest.mark.parametrize(
    "name",
    ["entities of 2, contiguous", "entities of 20, in rounds", "bursts of 5, bursts up to 50"],
)
def test_the_simulation_decides_as_the_interval_does(name: str) -> None:
    """Of a few runs, the first look at which `mean_interval` excludes the limit is the same."""
    stream = next(stream for stream in STREAMS if stream.name == name)
    rows = stream.draw(np.random.default_rng(1), 3, 0.12)
    verdicts = by_units(rows, stream.unit, stream.longest_burst)
    assert (verdicts.sides == 1).all()
    for run, look in enumerate(verdicts.looks.tolist()):
        for looked, decided in ((look, True), (look - 1, False)):
            until = (looked + 1) * LOOK_EVERY
            bad = rows.bad[run, :until]
            if rows.entities is None:
                length = block_length(bad, shortest=stream.longest_burst)
                values = block_values(bad, length)
            else:
                values = shares(rows.entities[run, :until], bad)
            assert (mean_interval(values, CONFIDENCE).low > LIMIT) == decided


def test_a_gate_needs_less_than_twice_the_rows_of_a_test_made_for_one_look() -> None:
    """On independent rows, 90% of the runs decide after at most twice what 90% power needs."""
    decided = decided_at(0.03, 400, every=100)
    assert np.quantile(decided, 0.9) <= 2 * fixed_sample_rows(0.03, power=0.9)
