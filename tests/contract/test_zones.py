"""Time zones by name."""

from __future__ import annotations

import datetime as dt

import pytest

from gnomon.contract.zones import zone
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
