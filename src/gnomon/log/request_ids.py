"""Request ids: UUIDs of version 7 (RFC 9562, section 5.7), which sort by time of arrival.

Python has ``uuid.uuid7`` only from 3.14 on. This one writes the text directly, without a ``UUID``
object, as the gateway needs one for every request.
"""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime
from random import getrandbits

__all__ = ["arrival", "new_request_id"]

_COUNTER_BITS = 42
_UUID_7 = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class _Generator:
    """A millisecond clock, a 42-bit counter (method 1 of RFC 9562, 6.2) and 32 random bits.

    The counter starts at a random value below half its range in every millisecond. When it
    overflows, or when the clock is set back, the time in the ids continues from its last value.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = 0
        self._counter = 0
        self._prefix = ""

    def __call__(self) -> str:
        now = time.time_ns() // 1_000_000
        with self._lock:
            self._counter += 1
            if now > self._millisecond:
                self._start(now)
            elif self._counter >> _COUNTER_BITS:
                self._start(self._millisecond + 1)
            prefix, n = self._prefix, self._counter
        variant = 0x8000 | (n >> 16) & 0x3FFF
        return f"{prefix}{n >> 30:03x}-{variant:04x}-{n & 0xFFFF:04x}{getrandbits(32):08x}"

    def _start(self, millisecond: int) -> None:
        self._millisecond = millisecond
        self._counter = getrandbits(_COUNTER_BITS - 1)
        self._prefix = f"{millisecond >> 16:08x}-{millisecond & 0xFFFF:04x}-7"


_generate = _Generator()


def new_request_id() -> str:
    """Return a new id, greater as text than every earlier one of this process.

    >>> len(new_request_id())
    36
    """
    return _generate()


def arrival(request_id: str) -> datetime | None:
    """Return when the request with an id arrived, to the millisecond; None for an id of others.

    Anybody may send an id of this form, also one whose time is beyond the year 9999: None.

    >>> arrival("01a228b9-4b8c-730e-b5ba-2b8f719e7180").isoformat()
    '2026-11-29T19:12:41.868000+00:00'
    """
    found = _UUID_7.fullmatch(request_id)
    if found is None:
        return None
    try:
        return datetime.fromtimestamp(int(found[1] + found[2], 16) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
