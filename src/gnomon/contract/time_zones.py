"""Time zones by their names in contracts."""

from __future__ import annotations

import datetime as dt
import re
from contextlib import suppress
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from gnomon.errors import ContractError

__all__ = ["with_offset", "zone", "zone_name"]

_DAY = len("2013-01-31")
_OFFSET = re.compile(r"([+-])(\d\d):([0-5]\d)")


@lru_cache
def zone(name: str) -> dt.tzinfo:
    """Return the zone ``name``: an IANA name or a fixed offset such as ``+05:30``.

    Raises:
        ContractError: there is no such zone.
    """
    if name == "UTC":
        return dt.UTC
    if offset := _OFFSET.fullmatch(name):
        sign, hours, minutes = offset.groups()
        shift = dt.timedelta(hours=int(hours), minutes=int(minutes))
        if shift < dt.timedelta(hours=24):
            return dt.timezone(shift if sign == "+" else -shift)
    with suppress(KeyError, ValueError, OSError):  # not found, not a name, a folder
        return ZoneInfo(name)
    raise ContractError(
        f"no time zone `{name}`",
        hint="use an IANA name such as America/New_York, or an offset such as +05:30",
    )


def zone_name(zone: object) -> str:
    """Return a pandas zone's name in contracts; pandas names fixed offsets ``UTC+05:30``."""
    return str(zone).removeprefix("UTC") or "UTC"


def with_offset(value: Any, name: str) -> Any:
    """Add the offset of a zone to a time, or the text of one, that has none.

    An hour that occurs twice, when clocks are put back, means the first, as in a training frame. A
    time that does not exist, when clocks are put forward, is returned unchanged, as is any other
    value.
    """
    if isinstance(value, str):
        try:
            clock = dt.datetime.fromisoformat(value)
        except ValueError:
            return value
        localized = with_offset(clock, name) if len(value) > _DAY else clock
        return value if localized is clock else localized.isoformat()
    if not isinstance(value, dt.datetime) or value.tzinfo is not None:
        return value
    shown = value.replace(tzinfo=zone(name), fold=0)
    again = shown.astimezone(dt.UTC).astimezone(shown.tzinfo)
    return shown if again.replace(tzinfo=None) == value else value
