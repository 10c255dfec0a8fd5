"""Which half of another artifact makes the difference."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from gnomon.artifact import Artifact, inspect
from gnomon.compare.comparators import Compared
from gnomon.errors import PackRefused
from gnomon.report import Halves, Report, to_html
from gnomon.settings import Settings
from gnomon.skew.half_exchange import HalfCounts, exchanged_halves
from gnomon.skew.replay import replay
from tests.packing import Pack
from tests.shadow.trips import GREENWICH, LOCAL, OTHER, TRAINED, Trips, trips

ROWS = 401


def answered(agreed: str, difference: float = 0.0) -> Compared:
    """Rows that agree where there is a ``1``."""
    mask = np.array([one == "1" for one in agreed])
    empty = pa.table({})
    return Compared(empty, empty, {}, mask, ~mask, np.full(len(mask), difference))


def test_each_row_is_counted_once() -> None:
    """By the halves whose exchange changes it; a row that is not stable is set aside."""
    counts = HalfCounts()
    counts.add(
        itself=answered("1111110"),
        both=answered("0000110", 2.0),
        preprocessing=answered("0101011", 1.0),
        model=answered("1001111", 0.5),
    )
    assert (counts.differ, counts.unstable, counts.cancelled) == (4, 1, 1)
    assert (counts.preprocessing, counts.model) == (1, 1)
    assert (counts.either, counts.together) == (1, 1)
    means = {name: changes.mean for name, changes in counts.changes.items()}
    assert means == {"both": 2.0, "preprocessing": 1.0, "model": 0.5}


@pytest.mark.parametrize(
    ("differ", "preprocessing", "model", "makes"),
    [
        (0, 0, 0, "none"),
        (7, 7, 0, "few"),
        (100, 99, 0, "preprocessing"),
        (100, 0, 100, "model"),
        (100, 98, 2, "both"),
    ],
)
def test_a_half_is_named_if_it_explains_all_but_a_hundredth(
    differ: int, preprocessing: int, model: int, makes: str
) -> None:
    """And if there are enough rows."""
    counts = HalfCounts(differ=differ, preprocessing=preprocessing, model=model)
    assert counts.makes == makes


def test_one_artifact_alone_has_no_halves_to_exchange(packed_trips: Artifact) -> None:
    """The error says what to give."""
    with pytest.raises(PackRefused, match="--through"):
        exchanged_halves(packed_trips, None)


@pytest.fixture
def packed_trips(pack: Pack) -> Artifact:
    return inspect(pack(LOCAL, "trips", TRAINED))


def replayed(settings: Settings, live: Artifact, through: str) -> tuple[Report, Halves]:
    logged = Trips(settings, live, trips(ROWS)).answer()
    report = replay(logged.log, live, through=inspect(through), halves=True, settings=settings)
    assert report.halves is not None
    return report, report.halves


@pytest.mark.slow
def test_a_fault_in_the_preprocessing_is_told(
    settings: Settings, packed_trips: Artifact, pack: Pack
) -> None:
    """The candidate takes the hour from UTC: live's model on its preprocessing differs as well."""
    report, halves = replayed(settings, packed_trips, pack(GREENWICH, "trips", TRAINED))
    assert (halves.makes, halves.unstable, halves.cancelled) == ("preprocessing", 0, 0)
    assert halves.differ == halves.preprocessing.alone == report.divergence.rows > 200
    assert (halves.model.alone, halves.model.mean_change) == (0, 0.0)
    assert "Its preprocessing makes the difference" in to_html(report)
    assert report.command.endswith("--halves")


@pytest.mark.slow
def test_a_change_of_the_model_is_told(
    settings: Settings, packed_trips: Artifact, pack: Pack
) -> None:
    """The candidate's model is another one on the same preprocessing."""
    report, halves = replayed(settings, packed_trips, pack(LOCAL, "trips", OTHER))
    assert halves.makes == "model"
    assert halves.differ == halves.model.alone == report.divergence.rows > 200
    assert halves.preprocessing.alone == 0


@pytest.mark.slow
def test_both_halves_may_change_the_same_rows(
    settings: Settings, packed_trips: Artifact, pack: Pack
) -> None:
    """Then neither is named, and the rows are counted as changed by either."""
    _, halves = replayed(settings, packed_trips, pack(GREENWICH, "trips", OTHER))
    assert halves.makes == "both"
    assert halves.either > 100
    parts = (halves.preprocessing.alone, halves.model.alone, halves.either, halves.together)
    assert sum(parts) == halves.differ
