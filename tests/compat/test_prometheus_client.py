"""The private parts of prometheus_client that Gnomon uses exist and behave as expected."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry, Histogram

from gnomon.compat.prometheus_client import KINDS, file_name, observe_many, process_of

BUCKETS = (0.1, 0.5, 1.0)
VALUES = [0.05, 0.1, 0.100001, 0.7, 1.0, 30.0, 0.0]


def test_values_observed_together_are_as_if_one_by_one() -> None:
    """Buckets, count and sum, also for values on a bucket's edge and past the last."""
    shown = []
    for together in (True, False):
        registry = CollectorRegistry()
        histogram = Histogram("seconds", "s", buckets=BUCKETS, registry=registry)
        if together:
            observe_many(histogram, VALUES)
            observe_many(histogram, [])
        else:
            for value in VALUES:
                histogram.observe(value)
        [metric] = registry.collect()
        shown.append(
            [
                (s.name, s.labels, round(s.value, 9))
                for s in metric.samples
                if "created" not in s.name
            ]
        )
    assert shown[0] == shown[1]


def test_a_histogram_has_its_counters() -> None:
    """Without them each value costs a system call, with the same result."""
    histogram = Histogram("seconds", "s", buckets=BUCKETS, registry=CollectorRegistry())
    for name in ("_upper_bounds", "_buckets", "_sum"):
        assert hasattr(histogram, name), (
            f"prometheus_client's Histogram has no `{name}` any more: "
            "gnomon.compat.prometheus_client.observe_many must find its counters elsewhere"
        )


def test_without_its_counters_every_value_is_observed() -> None:
    """A release that renames them slows Gnomon down, and loses no value."""
    seen: list[float] = []

    class Renamed:
        """A histogram of such a release."""

        observe = staticmethod(seen.append)

    observe_many(Renamed(), VALUES)
    assert seen == VALUES


MAKES_EVERY_KIND = """
from bentoml.metrics import Counter, Gauge, Histogram, Summary
Counter("a", "a").inc()
Histogram("b", "b").observe(1)
Summary("c", "c").observe(1)
Gauge("d", "d", multiprocess_mode="livesum").set(1)
Gauge("e", "e", multiprocess_mode="livemax").set(1)
import os
print(os.getpid())
"""


def test_files_are_named_as_space_is_reserved_for_them(tmp_path: Path) -> None:
    """One file per kind and process; an existing one filled with zeros is used."""
    done = subprocess.run(
        [sys.executable, "-c", RESERVES + MAKES_EVERY_KIND, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    pid = int(done.stdout.split()[-1])
    sizes = {file.name: file.stat().st_size for file in tmp_path.iterdir()}
    assert sizes == {file_name(kind, pid): RESERVED for kind in KINDS}, (
        "prometheus_client names or sizes its files otherwise: gnomon.service.metric_files "
        "reserves space for none of them, and a full disk can end a gateway"
    )
    assert {process_of(name.removesuffix(".db")) for name in sizes} == {pid}


RESERVED = 2 << 20
RESERVES = f"""
import os, sys
from gnomon.compat.prometheus_client import KINDS, file_name
for kind in KINDS:
    with open(os.path.join(sys.argv[1], file_name(kind, os.getpid())), "wb") as file:
        file.truncate({RESERVED})
"""
