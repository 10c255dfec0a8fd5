"""What a repair of the log prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnomon.cli.show.repair import explain
from gnomon.log.lost_ranges import LostRange
from gnomon.log.repair.repair import Repair
from gnomon.log.repair.salvage import SalvagedSegment


def salvaged(after: str | None, before: str | None) -> SalvagedSegment:
    """A segment that lost 100 bytes and one request."""
    return SalvagedSegment(
        segment=Path("00000001.arrows"),
        set_aside=Path("damaged/00000001.arrows"),
        kept_rows=11,
        lost=(LostRange(segment=1, begin=200, end=300),),
        request_ids=("lost",),
        after=after,
        before=before,
    )


@pytest.mark.parametrize(
    ("after", "before", "says"),
    [
        ("a", "b", "the damage begins between requests a and b"),
        ("a", None, "the damage begins after request a"),
        (None, "b", "the damage is before request b"),
    ],
)
def test_the_place_of_damage_is_named_by_the_requests_around_it(
    after: str | None, before: str | None, says: str
) -> None:
    """The requests on either side are named if there are any, with what is kept, lost and where."""
    lines = list(explain(Repair(segments=(salvaged(after, before),))))
    assert lines[0] == "00000001.arrows: 11 rows kept, 100 bytes lost"
    assert [line for line in lines if line.startswith("  the damage")] == [f"  {says}"]
    assert "    lost" in lines


def test_a_whole_log_is_said_to_be_whole() -> None:
    """One line says so."""
    assert list(explain(Repair())) == ["nothing is damaged"]
