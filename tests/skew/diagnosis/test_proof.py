"""Causes injected into real flights, run in real workers, are named; ``benchmarks.skew`` has all
of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.skew.diagnosis.trial import trial
from tests.skew.diagnosis.worlds import World, flights_world

ROWS = 300


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The flights pipeline, packed once, and its workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(tmp_path_factory.mktemp("bentoml")))
        patch.setenv("GNOMON_ROOT", str(tmp_path_factory.mktemp("root")))
        world = flights_world()
        with world.stack:
            yield world


@pytest.mark.slow
@pytest.mark.parametrize(
    "cause",
    [
        "unit change",
        "missing feature",
        "category form",
        "column order",
        "time zone",
        "stale data",
        "temporal leakage",
        "stale scaler statistics",
        "batch-dependent transform",
        "nondeterminism",
        "segment-local skew",
    ],
)
def test_a_cause_is_named_first(flights: World, cause: str) -> None:
    """Alone, in the middle of its strengths, with every column to see."""
    found = trial(flights, [cause], 0.5, 1, ROWS)
    assert found is not None
    verdict = "described" if cause == "segment-local skew" else "confirmed"
    assert (found.verdict, found.cause) == (verdict, cause)


@pytest.mark.slow
def test_two_causes_are_both_named(flights: World) -> None:
    """A unit in one column and lost digits in another: each on its own, with its share."""
    found = trial(flights, ["unit change", "rounding"], 0.5, 3, ROWS)
    assert found is not None
    assert {"unit change", "rounding"} <= set(found.causes)


@pytest.mark.slow
def test_nothing_is_found_where_nothing_is_wrong(flights: World) -> None:
    """The same requests on both sides."""
    assert trial(flights, [], 0.0, 2, ROWS) is None


@pytest.mark.slow
def test_a_distortion_is_found_by_its_answers_alone(flights: World) -> None:
    """The table has neither features nor steps: the cause is the change that makes the answers
    agree.
    """
    found = trial(flights, ["time zone"], 0.9, 1, ROWS, sees="answers")
    assert found is not None
    assert (found.verdict, found.cause) == ("confirmed", "time zone")


@pytest.mark.slow
def test_a_default_in_place_of_nulls_is_found_by_its_answers_alone(flights: World) -> None:
    """Emptying the whole feature restores the same rows and breaks others: it is not the cause."""
    found = trial(flights, ["imputation"], 0.5, 0, ROWS, sees="answers")
    assert found is not None
    assert (found.verdict, found.cause) == ("confirmed", "imputation")
