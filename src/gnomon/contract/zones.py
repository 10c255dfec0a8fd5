"""Time zones by name, as contracts write them."""

from __future__ import annotations

import datetime as dt
import re
from contextlib import suppress
from functools import lru_cache
from zoneinfo import ZoneInfo

from gnomon.errors import ContractError

__all__ = ["zone", "zone_name"]

_OFFSET = re.compile(r"([+-])(\d\d):([0-5]\d)")


@lru_cache
def zone(name: str) -> dt.tzinfo:
    """The zone called ``name``: an IANA name or a fixed offset such as ``+05:30``.

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
    """What contracts call a zone of pandas, whose fixed offsets are called ``UTC+05:30``."""
    return str(zone).removeprefix("UTC") or "UTC"
