"""How cost grows with requests, rows per request, columns, shadows and slices.

``python -m benchmarks.scale [--quick]`` (it needs ``wrk``). One thing is changed at a time: a
server is started, sent requests on some connections for some seconds, and waited for until its
shadows have caught up. What counts is the processor time of its processes, by what they are for: it
does not depend on what else the machine does, as answers a second do. The pipeline is a scaler and
a logistic regression, of numbers only. From all figures together the cost of a request, a batch, a
row and a value is estimated by least squares, none below zero.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import psutil

from benchmarks.race.load import Figure, closed_loop, need_wrk, write_requests
from benchmarks.race.results import machine
from gnomon import rollout
from gnomon.log import InferenceLog
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.storage import Storage
from gnomon.testing import Server, serving

OUT = Path(__file__).parent / "results" / "scale.json"
PACKAGES = ("bentoml", "scikit-learn", "pandas", "numpy", "pyarrow")
MODEL = "scale"
ROLES = ("gateway", "live", "shadow", "sealer")
TERMS = ("request", "batch", "row", "value")
WARM_UP_SECONDS = 2


@dataclass(frozen=True)
class Setup:
    """What is served, and how it is asked."""

    connections: int = 64
    rows: int = 1
    columns: int = 16
    shadows: int = 0
    slices: int = 1

    def __str__(self) -> str:
        said = {name: value for name, value in asdict(self).items() if value != PLAIN.get(name)}
        return ", ".join(f"{name} {value}" for name, value in said.items()) or "plain"


PLAIN = asdict(Setup())
SETUPS = (
    Setup(),
    Setup(connections=4),
    Setup(rows=10),
    Setup(rows=100),
    Setup(rows=10, columns=4),
    Setup(rows=10, columns=64),
    Setup(shadows=1),
    Setup(shadows=2),
    Setup(rows=10, columns=64, shadows=1),
    Setup(slices=2),
)
IN_MEMORY = (Setup(), Setup(shadows=1), Setup(slices=2))
QUICK = (Setup(), Setup(rows=10), Setup(shadows=1), Setup(slices=2))


@dataclass(frozen=True)
class Cost:
    """What a setup took.

    Attributes:
        figure: what the clients saw.
        counts: requests, batches, rows and values of live, and of the shadows.
        micros: microseconds of processor time by role.
        megabytes: proportional memory by role, at the end.
    """

    setup: Setup
    figure: Figure
    counts: dict[str, dict[str, float]]
    micros: dict[str, float]
    megabytes: dict[str, float]

    def a_row(self, role: str) -> float:
        """Return microseconds a row; a shadow's are divided by its own rows."""
        rows = self.counts["shadow" if role == "shadow" else "live"]["row"]
        return self.micros[role] / rows if rows else 0.0


def main() -> None:
    """Measure, fit, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="few setups, in under a minute")
    parser.add_argument("--seconds", type=int, help="of load in each setup")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    need_wrk()
    costs = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        os.environ |= {"BENTOML_HOME": str(work / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
        setups = QUICK if asked.quick else SETUPS
        pack(work, setups)
        for number, setup in enumerate(setups):
            print(f"{number + 1} of {len(setups)}: {setup}", flush=True)
            seconds = asked.seconds or (2 if asked.quick else 5)
            costs.append(measure(setup, work / str(number), seconds))
    report(costs, asked.out)


def pack(work: Path, setups: Sequence[Setup]) -> None:
    """Pack one artifact for each number of columns and for each artifact that is served."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    import gnomon

    random = np.random.default_rng(0)
    for columns in {setup.columns for setup in setups}:
        names = [f"f{number}" for number in range(columns)]
        frame = pd.DataFrame(random.normal(size=(1000, columns)), columns=names)
        labels = np.where(frame.sum(axis=1) > 0, "yes", "no")
        pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, labels)
        for role in range(1 + max(s.shadows for s in setups if s.columns == columns)):
            gnomon.pack(MODEL, pipeline, frame, labels, version=f"c{columns}-{role}")


def bodies(setup: Setup) -> list[dict[str, Any]]:
    """Make some hundred different requests."""
    random = np.random.default_rng(1)
    values = random.normal(size=(200, setup.rows, setup.columns)).round(4).tolist()
    requests = [
        [{f"f{number}": value for number, value in enumerate(row)} for row in rows]
        for rows in values
    ]
    return [{"rows": rows} if setup.rows > 1 else rows[0] for rows in requests]


def measure(setup: Setup, work: Path, seconds: int) -> Cost:
    """Serve a setup under load; read the meters before and after."""
    deployment, root = work / "deployment", work / "root"
    (deployment / "service").mkdir(parents=True)
    (deployment / "service" / "__init__.py").write_text(
        f'from gnomon.service import gateway\n\nGateway = gateway("{MODEL}")\n'
    )
    script = write_requests(bodies(setup), work / "requests.lua")
    rollout.promote(Settings(root=str(root)), MODEL, f"{MODEL}:c{setup.columns}-0")
    environment = {"GNOMON_SLICES": str(setup.slices), "OMP_NUM_THREADS": "1"}
    with serving(deployment, root, environment=environment) as server, server.client() as control:
        for number in range(setup.shadows):
            control.start_shadow(f"{MODEL}:c{setup.columns}-{number + 1}")
        closed_loop(f"{server.url}/predict", script, setup.connections, WARM_UP_SECONDS)
        before, counted = meters(server, setup)
        figure = closed_loop(f"{server.url}/predict", script, setup.connections, seconds)
        after, recounted = meters(server, setup)
        megabytes = by_role(server, held)
    counts = {
        side: {term: recounted[side][term] - counted[side][term] for term in TERMS}
        for side in recounted
    }
    micros = {role: after[role] - before[role] for role in ROLES}
    return Cost(setup, figure, counts, micros, megabytes)


def meters(server: Server, setup: Setup) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Read processor time by role and counts of work, once no work is under way."""
    live = settled(server, setup)
    metrics = httpx.get(f"{server.url}/metrics").text
    batches = sum(map(float, re.findall(r"^gnomon_batch_rows_count\{.*\} (\S+)$", metrics, re.M)))
    columns = "sum(1.0 / batch_rows), count(*)"
    found = InferenceLog(server.settings, MODEL).sql(
        f"SELECT {columns} FROM log WHERE role = 'shadow' AND batch_rows > 0"
    )
    shadow_batches, shadow_rows = (column[0].as_py() or 0 for column in found.columns)
    return by_role(server, spent), {
        "live": work_of(live, batches, setup),
        "shadow": work_of(shadow_rows, float(shadow_batches), setup),
    }


def work_of(rows: float, batches: float, setup: Setup) -> dict[str, float]:
    """Return the counts that costs are attributed to."""
    return {
        "request": rows / setup.rows,
        "batch": batches,
        "row": rows,
        "value": rows * setup.columns,
    }


def settled(server: Server, setup: Setup) -> int:
    """Return the rows answered, once no slice's count changes and its shadows have read all."""
    storage, last = Storage(server.settings), -1
    while True:
        time.sleep(1.2)
        beats = heartbeats.read(storage, MODEL)
        rows = sum(beat.accounts["answered"] for beat in beats)
        behind = [
            shadow.lagging or shadow.state != "running" for beat in beats for shadow in beat.shadows
        ]
        all_there = (len(beats), len(behind)) == (setup.slices, setup.slices * setup.shadows)
        if rows == last and all_there and not any(behind):
            return rows
        last = rows


def by_role(server: Server, reading: Callable[[psutil.Process], float]) -> dict[str, float]:
    """Add up a reading of every process of a server, by the role of the process."""
    found = dict.fromkeys(ROLES, 0.0)
    for process in psutil.Process(server.process.pid).children(recursive=True):
        if "--service-name" in process.cmdline():
            found["gateway"] += reading(process)
            for child in process.children():
                found[role_of(child)] += reading(child) + sum(map(reading, child.children(True)))
    return found


def role_of(child: psutil.Process) -> str:
    """Return the role of a child of the gateway."""
    command = child.cmdline()
    modules = {"gnomon.worker": "live", "gnomon.shadow.feed": "shadow"}
    return next((role for module, role in modules.items() if module in command), "sealer")


def spent(process: psutil.Process) -> float:
    """Return microseconds of processor time."""
    times = process.cpu_times()
    return (times.user + times.system) * 1e6


def held(process: psutil.Process) -> float:
    """Return megabytes of memory, with shared memory divided among its processes."""
    return float(process.memory_full_info().pss) / 1e6


def fit(costs: Sequence[Cost], role: str) -> dict[str, float]:
    """Fit the cost of a request, batch, row and value so that relative errors are least."""
    from scipy.optimize import nnls

    side = "shadow" if role == "shadow" else "live"
    used = [cost for cost in costs if cost.counts[side]["row"] and cost.micros[role]]
    work = np.array([[cost.counts[side][term] for term in TERMS] for cost in used])
    micros = np.array([cost.micros[role] for cost in used])
    found, _ = nnls(work / micros[:, None], np.ones(len(used)))
    return dict(zip(TERMS, found.tolist(), strict=True))


def report(costs: Sequence[Cost], out: Path) -> None:
    """Print the tables and write every figure."""
    versions = {package: version(package) for package in PACKAGES}
    print(f"\n{machine()}; " + ", ".join(f"{name} {number}" for name, number in versions.items()))
    print("\n| setup | requests/s | rows/s | rows per batch | " + " | ".join(ROLES) + " |")
    print("|---|---:|---:|---:|" + "---:|" * len(ROLES))
    for line in table(costs):
        print(f"| {' | '.join(line)} |")
    print("\nThe last columns are microseconds of processor time a row; a shadow's, of its rows.\n")
    print("| MB of memory | " + " | ".join(ROLES) + " |\n|---|" + "---:|" * len(ROLES))
    for cost in costs:
        if cost.setup in IN_MEMORY:
            said = (f"{cost.megabytes[role]:,.0f}" for role in ROLES)
            print(f"| {cost.setup} | " + " | ".join(said) + " |")
    print()
    models = {}
    if len(costs) > len(QUICK):
        models = {role: fit(costs, role) for role in ("gateway", "live", "shadow")}
        print("| µs of processor time | " + " | ".join(f"a {term}" for term in TERMS) + " |")
        print("|---|" + "---:|" * len(TERMS))
        for role, terms in models.items():
            print(f"| {role} | " + " | ".join(f"{terms[term]:,.2f}" for term in TERMS) + " |")
    document = {
        "machine": machine(), "versions": versions, "costs": costs, "microseconds": models,
    }  # fmt: skip
    out.parent.mkdir(exist_ok=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    print(f"\nEvery figure: {out}")


def table(costs: Sequence[Cost]) -> Iterator[list[str]]:
    """Return a line for each setup."""
    for cost in costs:
        live = cost.counts["live"]
        errors = f" ({cost.figure.errors} errors)" if cost.figure.errors else ""
        yield [
            f"{cost.setup}{errors}",
            f"{cost.figure.per_second:,.0f}",
            f"{cost.figure.per_second * cost.setup.rows:,.0f}",
            f"{live['row'] / max(live['batch'], 1):,.0f}",
            *(f"{cost.a_row(role):,.0f}" for role in ROLES),
        ]


if __name__ == "__main__":
    main()
