"""docs/metrics.md has every metric of a server, as its registry has it, and no other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "metrics.md").read_text()
REGISTERED = """
import json
from bentoml._internal.configuration.containers import BentoMLContainer
from gnomon.service.metrics import Metrics
from gnomon.service.route_metrics import TrafficMetrics

Metrics("toy")
TrafficMetrics(None, namespace="bentoml_service")._setup()
registry = BentoMLContainer.metrics_client.get().registry
made = [c for c in registry._collector_to_names if hasattr(c, "_labelnames")]
print(json.dumps([[c._name, c._type, list(c._labelnames)] for c in made]))
"""
"""A process of its own: a registry takes each metric once."""

Metric = tuple[str, str, tuple[str, ...]]


@pytest.fixture(scope="module")
def registered() -> set[Metric]:
    """Name, type and labels of each metric that a gateway makes."""
    done = subprocess.run(
        [sys.executable, "-c", REGISTERED], capture_output=True, text=True, check=True
    )
    return {
        (name + "_total" if kind == "counter" else name, kind, tuple(labels))
        for name, kind, labels in json.loads(done.stdout)
    }


def documented() -> list[Metric]:
    """The rows of the page's tables."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| \S.* \|$", PAGE, re.MULTILINE)
    return [(name, kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows]


def test_every_metric_is_documented(registered: set[Metric]) -> None:
    """It has its type and its labels, once; no metric that is gone is documented."""
    assert sorted(documented()) == sorted(registered)


def test_alerts_use_metrics_and_labels_that_exist() -> None:
    """A rule over a name or label that does not exist never fires."""
    [rules] = re.findall(r"```yaml\n(groups:.*?)```", PAGE, re.DOTALL)
    labels = {name: set(names) | {"le"} for name, _, names in documented()}
    kinds = {name: kind for name, kind, _ in documented()}
    used = re.findall(r"\b(gnomon_\w+)(?:\{(\w+)=)?", rules)
    assert used
    for name, label in used:
        family = name if name in kinds else name.removesuffix("_bucket")
        assert family in kinds, name
        assert family == name or kinds[family] == "histogram", name
        assert not label or label in labels[family], f"{name} has no label {label}"
    by = re.findall(r"by \(([\w, ]+)\)", rules)
    assert {label for names in by for label in names.split(", ")} <= set().union(*labels.values())
