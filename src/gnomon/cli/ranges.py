"""Options that select the logged answers for a command."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from gnomon.errors import InvalidRequest
from gnomon.time_range import check_time

__all__ = ["AsRole", "End", "PolicyFile", "Start", "Which"]


def parse_time(text: str) -> datetime:
    """Parse a time in ISO 8601; without an offset it is in this machine's time zone.

    Raises:
        typer.BadParameter: it is not a time, or clocks that are changed show it twice or never.
    """
    try:
        time = datetime.fromisoformat(text)
        earlier, later = (time.replace(fold=fold).astimezone() for fold in (0, 1))
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"expected a time such as 2024-05-01T12:00 or 2024-05-01T12:00:00+00:00, got {text!r}"
        ) from None
    try:
        check_time(earlier)
    except InvalidRequest as error:
        raise typer.BadParameter(error.message) from None
    if earlier == later:
        return earlier
    often = "twice" if earlier.replace(tzinfo=None) == time else "never"
    raise typer.BadParameter(
        f"{text} happens {often} in this machine's time zone, as clocks are changed then; give an "
        f"offset: {earlier.isoformat()} or {later.isoformat()}"
    )


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range of times, open where there is none."""

    start: datetime | None
    end: datetime | None


def parse_range(text: str) -> TimeRange:
    """Parse ``START..END``, of which either may be left out."""
    start, dots, end = text.partition("..")
    if not dots:
        raise typer.BadParameter(f"expected START..END, got {text!r}; .. alone is all of the log")
    return TimeRange(parse_time(start) if start else None, parse_time(end) if end else None)


Which: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="ARTIFACT",
        help="The artifact that answered: a tag such as flights:one, or a model's name for its "
        "live one.",
    ),
]
AsRole: TypeAlias = Annotated[
    Literal["live", "shadow"] | None,
    typer.Option(
        "--role",
        help="The answers it gave as live or as shadow. Default: live if it ever was.",
    ),
]
Start: TypeAlias = Annotated[
    datetime | None,
    typer.Option(
        "--start",
        parser=parse_time,
        metavar="TIME",
        help="Only rows that arrived at this time or later; in this machine's time zone, if it "
        "has no offset.",
    ),
]
End: TypeAlias = Annotated[
    datetime | None,
    typer.Option(
        "--end", parser=parse_time, metavar="TIME", help="Only rows that arrived before this time."
    ),
]
PolicyFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="The tolerances and limits. Default: shadow/policy.toml, else the defaults.",
    ),
]
