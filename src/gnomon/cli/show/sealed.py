"""What ``gnomon log seal`` did, and what it had to leave."""

from __future__ import annotations

from collections.abc import Sequence

from gnomon.cli.console import duration
from gnomon.log.open_segments import OpenSegment

__all__ = ["explain"]


def explain(moved: int, left: Sequence[OpenSegment], segment_seconds: float) -> str:
    """How many closed segments were sealed; how many rows are in open ones, and until when.

    Args:
        moved: closed segments that were sealed.
        left: open segments.
        segment_seconds: the age at which a segment is closed, as set here.
    """
    done = f"{_segments(moved, 'closed')} sealed"
    if not left:  # also where a running server has sealed by itself
        return f"{done}; all rows are in the table"
    rows = sum(one.rows for one in left)
    next_in = max(min(segment_seconds - one.age for one in left), 0.0)
    which = "it closes" if len(left) == 1 else "the first closes"
    return (
        f"{done}; {_segments(len(left), 'open')} with {rows:,} row{'' if rows == 1 else 's'}, "
        f"{which} in {duration(next_in)}, or now with --now"
    )


def _segments(number: int, kind: str) -> str:
    return f"{number:,} {kind} segment{'' if number == 1 else 's'}"
