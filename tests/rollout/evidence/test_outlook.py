"""When the missing rows are expected, in words."""

from __future__ import annotations

import pytest

from gnomon.log import InferenceLog
from gnomon.rollout.evidence.new_entities import NewEntities
from gnomon.rollout.evidence.outlook import (
    Traffic,
    about_when,
    live_traffic,
    more_entities,
    more_rows,
    when_entities_come,
)
from gnomon.settings import Settings
from tests.shadow.evidence import log_live


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "in about 1 s"),
        (42.0, "in about 42 s"),
        (185.0, "in about 3 min"),
        (3 * 3_600.0, "in about 3 h"),
        (10 * 86_400.0, "in about 10 days"),
        (1e12, "in over a year"),
    ],
)
def test_durations_are_in_the_unit_that_a_person_would_use(seconds: float, words: str) -> None:
    """Rounded: it is an estimate."""
    assert about_when(seconds) == words


@pytest.mark.parametrize(
    ("scored", "rate"),
    [(1_200, "2 a second"), (1, "6 an hour"), (20, "2 a minute"), (600_000, "1,000 a second")],
)
def test_a_rate_is_in_the_unit_that_a_person_would_use(scored: int, rate: str) -> None:
    """One row in ten minutes is six an hour."""
    traffic = Traffic(seconds=600.0, answered=scored, scored=scored)
    assert f"at the current {rate}" in more_rows(1_000_000, "rows", traffic).says


def test_what_is_no_shadow_yet_is_told_by_the_rate_of_live(settings: Settings) -> None:
    """The rate of the rows that were answered in the last ten minutes, by whatever was live then;
    unknown without a log.
    """
    assert live_traffic(InferenceLog(settings, "toy")) is None
    log_live(settings, 50)
    log_live(settings, 10, artifact="toy:before")
    traffic = live_traffic(InferenceLog(settings, "toy"))
    assert traffic is not None
    assert traffic.rate == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("new", "seconds", "says"),
    [
        ((60, 60), 450, ", in about 8 min at the 120 entities that were new in the last 10 min"),
        ((300, 100), 389.7, ", in about 6 min if ever fewer rows are of new ones, as now (400 in "),
        ((300, 60), None, "; so many may never come, because fewer and fewer rows are of new ones"),
        ((0, 0), None, "; none of the 1,300 rows of the last 10 min is of a new one"),
    ],
)  # fmt: skip
def test_rows_of_other_entities_come_as_new_entities_do(
    new: tuple[int, int], seconds: float | None, says: str
) -> None:
    """Two rows a second tell nothing about when 90 more entities come."""
    entities = NewEntities(seconds=600, rows=(650, 650), new=new)
    traffic = Traffic(seconds=600, answered=1_300, scored=1_300, new=entities)
    awaits = more_entities(630, 38 if seconds == 389.7 else 90, "rows of other entities", traffic)
    assert awaits.rows == 630
    assert awaits.seconds == (None if seconds is None else pytest.approx(seconds, rel=0.01))
    assert awaits.says.startswith("needs about 630 more rows of other entities: about ")
    assert says in awaits.says


def test_nothing_is_expected_of_traffic_that_has_stopped() -> None:
    """The time until they come would grow while one waits."""
    stopped = NewEntities(seconds=600, rows=(650, 0), new=(300, 0))
    words, seconds = when_entities_come(stopped, 90)
    assert words == "; no row came in the second half of the last 10 min, so none are expected"
    assert seconds is None
    words, seconds = when_entities_come(stopped, 90, labelled=True)
    assert words == "; no row of the second half of the last 10 min has a label yet"
    assert seconds is None
    seldom = NewEntities(seconds=600, rows=(1, 0), new=(1, 0))
    assert when_entities_come(seldom, 1)[1] == 600


def test_what_follows_from_a_larger_count_is_about() -> None:
    """A sample of live's rows was not counted itself."""
    words, _ = when_entities_come(
        NewEntities(seconds=600, rows=(650, 650), new=(60, 60)).sampled(0.5), 10
    )
    assert "at the about 60 entities that were new" in words


@pytest.mark.parametrize(
    ("rows", "of", "says"),
    [
        (1, "rows scored", "needs 1 more row scored"),
        (1, "such rows", "needs 1 more such row"),
        (1, "of the lagging rows scored", "needs 1 more of the lagging rows scored"),
        (2, "rows of other entities", "needs 2 more rows of other entities"),
    ],
)
def test_one_row_is_one_row(rows: int, of: str, says: str) -> None:
    """In the singular, unless it is one of several."""
    assert more_rows(rows, of, None).says == says
