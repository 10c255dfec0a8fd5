"""A real server conforms to its own OpenAPI document under schemathesis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gnomon.service.access.control_token import find_control_token
from gnomon.service.control import ROUTES
from gnomon.testing import Server
from tests.packing import serving_packed, times
from tests.service.running import SCRIPT

EXAMPLES = 250
"""Of what each route may be asked, beside those that every run covers: 3,000 in all."""

SECONDS = 45
FEWEST_CASES = 100
"""So many at least where tests share two busy cores; several thousand on a core of its own."""

SLOW = [path for path, route in ROUTES.items() if route.is_slow]
"""Each of their answers is computed by a process of its own for seconds, so that the rest would not
be tested in this time; ``tests/service/test_query_routes.py`` sends them what is wrong."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, packed_once: Callable[[str, str, str], Path]
) -> Iterator[Server]:
    """A server whose contract has a feature of every type."""
    packed = packed_once(times(1), "toy", SCRIPT)
    with serving_packed(packed, tmp_path_factory.mktemp("schema")) as running:
        yield running


@pytest.mark.slow
def test_a_server_keeps_to_its_document(server: Server, tmp_path: Path) -> None:
    """Predictions, control routes, health and pages answer as ``/docs.json`` says, never with a
    server error, and refuse what it forbids.
    """
    report = tmp_path / "report.json"
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/docs.json",
        "--header", f"Authorization:Bearer {find_control_token(server.settings)}",
        "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing",
        "--max-examples", str(EXAMPLES), "--max-time", str(SECONDS), "--workers", "2",
        "--seed", "1",
        "--continue-on-failure", "--no-shrink", "--report-json-path", str(report),
        "--warnings", "off", "--suppress-health-check", "all",
        *(word for path in SLOW for word in ("--exclude-path", path)),
    ]  # fmt: skip
    environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    told = json.loads(report.read_text())
    assert told["operations"]["total"] == 28
    assert told["operations"]["tested"] == 28 - len(SLOW)
    assert told["test_cases"]["generated"] >= FEWEST_CASES
