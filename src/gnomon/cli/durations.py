"""Durations on the command line: ``90d``, ``12h``, ``30m``, ``45s``."""

from __future__ import annotations

import re
from datetime import timedelta

import typer

__all__ = ["parse_duration"]

_DURATION = re.compile(r"(\d{1,9})([dhms])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def parse_duration(text: str) -> timedelta:
    """Parse a whole number with its unit, ``d``, ``h``, ``m`` or ``s``."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"expected a duration such as 90d, 12h or 30m, got {text!r}")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
