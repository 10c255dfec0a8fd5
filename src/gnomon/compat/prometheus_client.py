"""Private parts of prometheus_client that Gnomon uses."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Any

__all__ = ["FOLDER", "KINDS", "LIVE_GAUGES", "file_name", "observe_many", "process_of"]

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The documented variable with the folder for the files of :func:`file_name`."""

KINDS = ("counter", "gauge_livemax", "gauge_livesum", "histogram", "summary")
"""The kinds of files that one process writes for the metrics of Gnomon and of BentoML."""

LIVE_GAUGES = "gauge_live*.db"
"""The pattern of files whose values hold only while their process runs."""


def file_name(kind: str, pid: int) -> str:
    """Return the name of the file in which a process keeps its metrics of a kind.

    The source of ``prometheus_client.values`` and ``mmap_dict`` defines the name, and that a file
    of any size is accepted if it begins with zeros: there is no option to reserve space. Seen in
    0.22 to 0.26. If the name changes, space is not reserved, and a full disk can end a gateway.
    """
    return f"{kind}_{pid}.db"


def process_of(stem: str) -> int | None:
    """Return the process id in such a name, given without its suffix; None if there is none."""
    number = stem.rpartition("_")[2]
    return int(number) if number.isdecimal() else None


def observe_many(histogram: Any, values: Sequence[float]) -> None:
    """Observe many values at the cost of one observation per bucket.

    Uses ``_upper_bounds``, ``_buckets`` and ``_sum`` of a histogram, which has a counter for each
    bucket and one for the sum: the public ``observe`` takes one value and makes a system call each
    time. Seen in 0.22 to 0.26. Without them every value is observed separately.
    """
    if not values:
        return
    try:
        bounds, buckets, total = histogram._upper_bounds, histogram._buckets, histogram._sum
    except AttributeError:
        for value in values:
            histogram.observe(value)
        return
    for bucket, count in Counter(bisect_left(bounds, value) for value in values).items():
        buckets[bucket].inc(count)
    total.inc(sum(values))
