"""How many connections a process may open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gnomon.service.http.connection_limits import (
    FEWEST_CONNECTIONS,
    NEEDED_DESCRIPTORS,
    kept_descriptors,
)


@pytest.mark.parametrize("limit", [128, 256, 600, 1024, 4096, 1_048_576])
def test_descriptors_are_reserved_in_proportion_to_the_limit(limit: int) -> None:
    """Never less than a gateway needs, never all, and no more than 256."""
    kept = kept_descriptors(limit)
    assert NEEDED_DESCRIPTORS <= kept <= 256
    assert limit - kept >= FEWEST_CONNECTIONS
    assert kept <= max(NEEDED_DESCRIPTORS, limit / 4)


def test_too_few_descriptors_are_told_before_anything_starts(tmp_path: Path) -> None:
    """``gnomon serve`` says how many are needed and how to get them."""
    (tmp_path / "bentofile.yaml").write_text("service: service:Gateway\n")
    command = f"ulimit -n 64 && exec {sys.executable} -m gnomon serve {tmp_path}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    output = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "Traceback" not in output
    assert "expected to be allowed 128 open files, got 64" in output
    assert "ulimit -n" in output
