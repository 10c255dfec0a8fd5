"""How long a rollback takes under full load: from the command to the last answer it was to stop.

``python -m benchmarks.rollback [--rounds 10]``. The flights logistic regression is live, gradient
boosting is promoted and rolled back, while 128 connections ask as fast as they are answered. When
an answer was ready is in the log, to the microsecond, and on the clock that times the command.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from benchmarks.race import cases
from benchmarks.race.contenders import named
from benchmarks.race.load import closed_loop, need_wrk, write_requests
from benchmarks.race.results import machine
from benchmarks.race.serving import serving
from gnomon.log import InferenceLog
from gnomon.service.access.control_token import find_control_token
from gnomon.service.client.clients import Client
from gnomon.settings import Settings

OUT = Path(__file__).parent / "results" / "rollback.json"

CONNECTIONS = 128
LOAD_SECONDS = 20
"""Of each round: long enough to load an artifact, promote it, and roll back."""
SOAK_SECONDS = 1.0


def main() -> None:
    """Prepare, measure, report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rollback", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    need_wrk()
    calls: list[float] = []
    last: list[float] = []
    errors = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        work = Path(folder)
        print("training and packing", flush=True)
        (case,) = cases.prepare(cases.NAMES[:1], work)
        script = write_requests(case.records, work / "requests.lua")
        with serving(named("gnomon, log"), case, work) as served:
            settings = Settings(root=str(served.root))
            log, token = InferenceLog(settings, case.model), find_control_token(settings)
            with Client(served.url.removesuffix("/predict"), control_token=token) as control:
                for number in range(asked.rounds):
                    load = pool.submit(closed_loop, served.url, script, CONNECTIONS, LOAD_SECONDS)
                    control.promote(case.shadow, force=True)
                    time.sleep(SOAK_SECONDS)
                    commanded = time.time()
                    control.rollback()
                    calls.append(time.time() - commanded)
                    loaded = not load.done()
                    time.sleep(SOAK_SECONDS)
                    last.append(last_answer(log, case.shadow) - commanded)
                    errors += load.result().errors
                    show(number, calls[-1], last[-1])
                    if not loaded:
                        raise SystemExit("the artifact took too long to load: nothing measured")
    print(f"\n{machine()}\n\n| milliseconds after the command | median | max |\n|---|---:|---:|")
    for name, found in {"its answer": calls, "the last answer of the promoted": last}.items():
        print(f"| {name} | {statistics.median(found) * 1e3:.0f} | {max(found) * 1e3:.0f} |")
    print(f"\n{asked.rounds} rollbacks on {CONNECTIONS} connections, {errors} failed requests")
    document = {"machine": machine(), "calls": calls, "last_answers": last, "errors": errors}
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    print(f"Every figure: {asked.out}")


def last_answer(log: InferenceLog, artifact: str) -> float:
    """Return when the last answer of an artifact was ready, in seconds since the epoch."""
    columns = ["arrived", "total_us"]
    return max(
        arrived.timestamp() + total / 1e6
        for batch in log.scan(columns=columns, role="live", artifact=artifact)
        for arrived, total in zip(*(batch[name].to_pylist() for name in columns), strict=True)
        if total is not None
    )


def show(number: int, call: float, last: float) -> None:
    """Print one round."""
    print(
        f"{number + 1:3}  the command took {call * 1e3:6.1f} ms, "
        f"the last answer left after {last * 1e3:6.1f} ms",
        flush=True,
    )


if __name__ == "__main__":
    main()
