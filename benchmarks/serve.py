"""Requests per second and latency of this service beside two others, in one run.

``make bench`` or ``python -m benchmarks.serve [--rounds 3] [--seconds 5]``. Every contender serves
the same flights pipeline, one process each, on this machine; a round measures each of them in turn
at every number of connections, so that a machine whose speed drifts drifts for all. Requests are
different flights of April, sent by wrk. Printed are medians over the rounds with minimum and
maximum, and ratios within the run; ``benchmarks/results/serve.json`` has every figure.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import httpx
import msgspec

from gnomon.settings import Settings
from gnomon.shadow import rollout
from gnomon.testing import free_port

HERE = Path(__file__).parent
PACKAGES = ("bentoml", "fastapi", "uvicorn", "scikit-learn", "pandas", "numpy", "pyarrow")
FLIGHTS = 500


@dataclass(frozen=True)
class Contender:
    """A way to serve the pipeline.

    Attributes:
        name: what the table calls it.
        command: starts it; ``{port}`` is filled in.
        wraps: whether a request is ``{"flight": {...}}``.
        shadowed: whether every request is also scored by gradient boosting in the shadow.
    """

    name: str
    command: tuple[str, ...]
    wraps: bool = False
    shadowed: bool | None = None


BENTO = (sys.executable, "-m", "bentoml", "serve", "--host", "127.0.0.1", "--port", "{port}")
CONTENDERS = (
    Contender("gnomon, log and full shadow", (*BENTO, "service:Gateway"), shadowed=True),
    Contender("gnomon, log", (*BENTO, "service:Gateway"), shadowed=False),
    Contender(
        "FastAPI by hand",
        (sys.executable, "-m", "uvicorn", "benchmarks.contenders.fastapi_service:app",
         "--port", "{port}", "--log-level", "warning"),
    ),
    Contender(
        "plain BentoML API",
        (*BENTO, "benchmarks.contenders.bentoml_service:Plain"),
        wraps=True,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One measurement: requests a second, latency in milliseconds, answers that were no 200."""

    per_second: float
    p50: float
    p99: float
    errors: int


def main() -> None:
    """Pack, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64, 128])
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("This benchmark sends its load with wrk. On Debian: apt-get install wrk")
    results: dict[str, dict[int, list[Figure]]] = {
        contender.name: {n: [] for n in asked.connections} for contender in CONTENDERS
    }
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        environment = prepare(work)
        for number in range(asked.rounds):
            for contender in CONTENDERS:
                print(f"round {number + 1} of {asked.rounds}: {contender.name}", flush=True)
                with serving(contender, work, environment) as port:
                    measure(port, contender, work, 16, 3)
                    for n in asked.connections:
                        figure = measure(port, contender, work, n, asked.seconds)
                        results[contender.name][n].append(figure)
    report(results)


def prepare(work: Path) -> dict[str, str]:
    """Train and pack both flights models, and write the requests; the environment to serve in."""
    environment = {
        **os.environ,
        "BENTOML_HOME": str(work / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "ARTIFACT": "flights:logistic-1",
        "OMP_NUM_THREADS": "1",
    }
    print("training and packing the two flights models", flush=True)
    train = [sys.executable, "-m", "models.train", "--release", "1", "--offline", str(work)]
    subprocess.run(train, env=environment, check=True)
    os.environ.update(environment)
    from models.data import flights, records

    chosen = list(islice(records(flights(4)), 0, 20 * FLIGHTS, 20))
    for wraps in (False, True):
        bodies = [
            msgspec.json.encode({"flight": record} if wraps else record).decode()
            for record in chosen
        ]
        lines = ",\n".join(json.dumps(body) for body in bodies)
        (work / f"requests-{wraps}.lua").write_text(
            f"local bodies = {{\n{lines}\n}}\nlocal n = 0\n"
            'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n'
            "function request()\n  n = n + 1\n"
            "  return wrk.format(nil, nil, nil, bodies[n % #bodies + 1])\nend\n"
        )
    return environment


@contextmanager
def serving(contender: Contender, work: Path, environment: dict[str, str]) -> Iterator[int]:
    """Run a contender until the block ends; its port."""
    port, root = free_port(), work / "root"
    shutil.rmtree(root, ignore_errors=True)
    if contender.shadowed is not None:
        settings = Settings(root=str(root))
        rollout.promote(settings, "flights", "flights:logistic-1")
        if contender.shadowed:
            rollout.start_shadow(settings, "flights", "flights:boosting-1")
    command = [part.format(port=port) for part in contender.command]
    with ExitStack() as stack:
        log = stack.enter_context((work / "server.log").open("wb"))
        process = subprocess.Popen(
            command,
            cwd=HERE.parent,
            env={**environment, "GNOMON_ROOT": str(root)},
            stdout=log,
            stderr=log,
        )
        try:
            wait(port, contender, work)
            yield port
        finally:
            process.terminate()
            process.wait(60)


def wait(port: int, contender: Contender, work: Path) -> None:
    """Until the contender answers a prediction.

    Raises:
        RuntimeError: it did not within a minute.
    """
    script = (work / f"requests-{contender.wraps}.lua").read_text()
    body = json.loads(script.splitlines()[1].rstrip(","))
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        try:
            url = f"http://127.0.0.1:{port}/predict"
            answer = httpx.post(url, content=body, headers={"content-type": "application/json"})
            if answer.status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"{contender.name} does not answer:\n{(work / 'server.log').read_text()}")


def measure(port: int, contender: Contender, work: Path, connections: int, seconds: int) -> Figure:
    """One run of wrk."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "20s",
         "-s", str(work / f"requests-{contender.wraps}.lua"), f"http://127.0.0.1:{port}/predict"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    return Figure(
        per_second=float(found(r"Requests/sec:\s+([\d.]+)", done)),
        p50=milliseconds(found(r"50%\s+(\S+)", done)),
        p99=milliseconds(found(r"99%\s+(\S+)", done)),
        errors=int(bad.group(1)) if bad else 0,
    )


def found(pattern: str, text: str) -> str:
    """What a pattern captures."""
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk printed no {pattern}:\n{text}")
    return match.group(1)


def milliseconds(text: str) -> float:
    """wrk's ``1.25ms``, ``870.00us`` or ``1.02s``; not a number when nothing was answered."""
    match = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if match is None:
        return math.nan
    return float(match[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[match[2]]


def report(results: dict[str, dict[int, list[Figure]]]) -> None:
    """Print the table and write every figure."""
    versions = {package: version(package) for package in PACKAGES}
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}"
    print(f"\n{machine}; " + ", ".join(f"{name} {number}" for name, number in versions.items()))
    print("\n| service | connections | requests/s (min to max) | p50 ms | p99 ms | of FastAPI |")
    print("|---|---:|---:|---:|---:|---:|")
    base = results["FastAPI by hand"]
    for name, by_connections in results.items():
        for n, figures in by_connections.items():
            rates = [figure.per_second for figure in figures]
            rate = statistics.median(rates)
            ratio = rate / statistics.median(figure.per_second for figure in base[n])
            errors = sum(figure.errors for figure in figures)
            print(
                f"| {name} | {n} | {rate:,.0f} ({min(rates):,.0f} to {max(rates):,.0f}) "
                f"| {statistics.median(f.p50 for f in figures):.1f} "
                f"| {statistics.median(f.p99 for f in figures):.1f} | {ratio:.1f} times |"
                + (f" {errors} errors" if errors else "")
            )
    path = HERE / "results" / "serve.json"
    path.parent.mkdir(exist_ok=True)
    document = {"machine": machine, "versions": versions, "results": results}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2))
    print(f"\nEvery figure: {path}")


if __name__ == "__main__":
    main()
