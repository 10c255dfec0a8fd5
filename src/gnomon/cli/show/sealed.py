"""Describe what ``gnomon log seal`` sealed, and what is still open."""

from __future__ import annotations

from collections.abc import Sequence

from gnomon.cli.console import duration
from gnomon.log.open_segments import OpenSegment
from gnomon.report.numbers import plural

__all__ = ["explain"]


def explain(
    moved: int,
    left: Sequence[OpenSegment],
    segment_seconds: float,
    closed: Sequence[OpenSegment] | None = None,
) -> str:
    """Describe how many segments were sealed, how many rows are in open ones, and until when.

    Args:
        moved: closed segments that this command sealed; a server's sealer may have sealed others.
        left: open segments.
        segment_seconds: the age at which a segment is closed, from the settings.
        closed: open segments that were closed first; None if that was not requested.
    """
    done = f"{plural(moved, 'closed segment')} sealed"
    if closed:
        done = f"{_in_segments(closed)} closed; {done}"
        if moved < len(closed):
            done += ", the others by the server"
    if not left:
        return done
    if closed is not None:
        return f"{done}; {_in_segments(left)} came since"
    next_in = max(min(segment_seconds - one.age for one in left), 0.0)
    which = "it closes" if len(left) == 1 else "the first closes"
    return f"{done}; {_in_segments(left)}, {which} in {duration(next_in)}, or now with --now"


def _in_segments(segments: Sequence[OpenSegment]) -> str:
    rows = sum(one.rows for one in segments)
    return f"{plural(len(segments), 'open segment')} with {plural(rows, 'row')}"
