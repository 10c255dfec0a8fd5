"""Time zones by name."""

from __future__ import annotations

import datetime as dt

import pytest

from gnomon.contract.time_zones import with_offset, zone
from gnomon.errors import ContractError

NOON = dt.datetime(2013, 7, 1, 12)


@pytest.mark.parametrize(
    ("name", "hours"),
    [("UTC", 0), ("America/New_York", -4), ("+05:30", 5.5), ("-11:00", -11)],
)
def test_zones_and_offsets_are_known(name: str, hours: float) -> None:
    """A zone is an IANA name or a fixed offset."""
    assert zone(name).utcoffset(NOON) == dt.timedelta(hours=hours)


@pytest.mark.parametrize(
    "name", ["", "New York", "../etc/passwd", "America", "+24:00", "+5:30", "EST\0", "/etc"]
)
def test_another_zone_is_refused(name: str) -> None:
    """A name that is no zone is refused with examples of good ones."""
    with pytest.raises(ContractError, match="America/New_York"):
        zone(name)


@pytest.mark.parametrize(
    ("clock", "text"),
    [
        ("2024-05-30T20:00:00", "2024-05-30T20:00:00+02:00"),
        ("2024-05-30 20:00", "2024-05-30T20:00:00+02:00"),
        ("2024-10-27T02:30:00", "2024-10-27T02:30:00+02:00"),  # shown twice: the first time
        ("2024-03-31T02:30:00", "2024-03-31T02:30:00"),  # never shown
        ("2024-05-30T20:00:00Z", "2024-05-30T20:00:00Z"),
        ("2024-05-30", "2024-05-30"),
        ("soon", "soon"),
    ],
)
def test_a_clock_is_read_in_its_zone(clock: str, text: str) -> None:
    """A time without an offset gets that of the zone; all else stays as it came."""
    assert with_offset(clock, "Europe/Berlin") == text
    assert with_offset(None, "Europe/Berlin") is None


def test_a_time_is_read_in_its_zone() -> None:
    """Like its text."""
    assert with_offset(NOON, "Europe/Berlin") == NOON.replace(tzinfo=zone("Europe/Berlin"))
    aware = NOON.replace(tzinfo=dt.UTC)
    assert with_offset(aware, "Europe/Berlin") is aware
