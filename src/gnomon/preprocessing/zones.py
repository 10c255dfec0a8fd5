"""Time zones by name, as contracts write them."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from zoneinfo import ZoneInfo

from gnomon.errors import ContractError

__all__ = ["zone"]

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
    try:
        return ZoneInfo(name)
    except (ValueError, OSError):  # a bad key or a folder; ZoneInfoNotFoundError is a KeyError
        pass
    except KeyError:
        pass
    raise ContractError(
        f"no time zone `{name}`",
        hint="use an IANA name such as America/New_York, or an offset such as +05:30",
    )
