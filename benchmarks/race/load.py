"""Closed-loop load with wrk: each connection asks again as soon as it is answered."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Figure", "closed_loop", "need_wrk", "write_requests"]

SCRIPT = """
local bodies = {{
{bodies}
}}
local requests, n = {{}}, 0
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"

function init(arguments)
  for i, body in ipairs(bodies) do requests[i] = wrk.format(nil, nil, nil, body) end
end

function request()
  n = n + 1
  return requests[n % #requests + 1]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'JSON {{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "errors": %d}}\\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True)
class Figure:
    """One measurement.

    Attributes:
        per_second: answers a second.
        p50: median latency in milliseconds; 0 when nothing was answered.
        p99: the same for the 99th percentile.
        errors: answers that were no 200, and requests that got none.
    """

    per_second: float
    p50: float
    p99: float
    errors: int


def need_wrk() -> None:
    """Exit with a clear message if wrk is not installed."""
    if shutil.which("wrk") is None:
        sys.exit("This benchmark sends its load with wrk. On Debian: apt-get install wrk")


def write_requests(bodies: Sequence[object], file: Path) -> Path:
    """Write a script that has wrk send these bodies again and again."""
    texts = (json.dumps(body, ensure_ascii=False) for body in bodies)
    lines = ",\n".join(json.dumps(text, ensure_ascii=False) for text in texts)
    file.write_text(SCRIPT.format(bodies=lines))
    return file


def closed_loop(url: str, script: Path, connections: int, seconds: int) -> Figure:
    """Keep this many connections busy for some seconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    done = subprocess.run(
        [*command, "-s", str(script), url], stdout=subprocess.PIPE, text=True, check=True
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("JSON "))
    found = json.loads(line.removeprefix("JSON "))
    return Figure(
        per_second=found["requests"] / found["seconds"],
        p50=found["p50"],
        p99=found["p99"],
        errors=found["errors"],
    )
