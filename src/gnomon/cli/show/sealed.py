"""Describe what ``gnomon log seal`` sealed, and what is still open."""

from __future__ import annotations

from collections.abc import Sequence

from gnomon.log.open_segments import OpenSegment
from gnomon.quantities import plural, rough_duration

__all__ = ["explain"]


def explain(
    sealed: int,
    open_segments: Sequence[OpenSegment],
    segment_seconds: float,
    closed: Sequence[OpenSegment] | None = None,
) -> str:
    """Describe how many segments were sealed, how many rows are in open ones, and until when.

    Args:
        sealed: closed segments that this command sealed; a server's sealer may have sealed others.
        open_segments: the segments that are still open.
        segment_seconds: the age at which a segment is closed, from the settings.
        closed: open segments that were closed first; None if that was not requested.
    """
    text = f"{plural(sealed, 'closed segment')} sealed"
    if closed:
        text = f"{_in_segments(closed)} closed; {text}"
        if sealed < len(closed):
            text += ", the others by the server"
    if not open_segments:
        return text
    if closed is not None:
        return f"{text}; {_in_segments(open_segments)} came since"
    next_in = max(min(segment_seconds - segment.age for segment in open_segments), 0.0)
    which = "it closes" if len(open_segments) == 1 else "the first closes"
    when = f"{which} in {rough_duration(next_in)}, or now with --now"
    return f"{text}; {_in_segments(open_segments)}, {when}"


def _in_segments(segments: Sequence[OpenSegment]) -> str:
    rows = sum(segment.rows for segment in segments)
    return f"{plural(len(segments), 'open segment')} with {plural(rows, 'row')}"
