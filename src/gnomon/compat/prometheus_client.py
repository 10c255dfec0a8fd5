"""Private parts of prometheus_client that Gnomon uses."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Any

__all__ = ["FOLDER", "KINDS", "LIVE_GAUGES", "file_name", "observe_many", "process_of"]

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The documented variable that says where the files of :func:`file_name` are."""

KINDS = ("counter", "gauge_livemax", "gauge_livesum", "histogram", "summary")
"""The kinds of files that one process makes for the metrics of Gnomon and of BentoML."""

LIVE_GAUGES = "gauge_live*.db"
"""The pattern of files that describe the present of a process."""


def file_name(kind: str, pid: int) -> str:
    """The file in which a process keeps its metrics of a kind.

    Its name, and that a file of any size is taken as it is if it begins with zeros, are known from
    the source of ``prometheus_client.values`` and ``mmap_dict``: there is no option to reserve
    space. Seen in 0.22 to 0.26. If the name changes, space is not reserved, and a full disk can end
    a gateway.
    """
    return f"{kind}_{pid}.db"


def process_of(stem: str) -> int | None:
    """The process id in such a name, without its suffix; None if there is none."""
    number = stem.rpartition("_")[2]
    return int(number) if number.isdecimal() else None


def observe_many(histogram: Any, values: Sequence[float]) -> None:
    """Observe many values at the cost of one per bucket.

    Reaches ``_upper_bounds``, ``_buckets`` and ``_sum`` of a histogram, which holds a counter for
    each of its buckets and one of the sum: the public ``observe`` takes one value, with a system
    call each. Seen in 0.22 to 0.26. Without them every value is observed by itself.
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
