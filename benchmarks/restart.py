"""What clients see when a gateway is killed, again and again.

``python -m benchmarks.restart [--kills 20] [--rate 50]``. A deployment is served by
``gnomon serve``. Clients ask at a steady rate, each on a connection of its own, whether or not
others were answered. The gateway is killed with SIGKILL; once predictions have been answered
without fault for a second, the next round begins. At the end every acknowledged request must be in
the log exactly once.

Every second time the live worker is killed with the gateway: then the next gateway loads the
artifact, where it else takes the worker over.

Two models: a small one, and the same one with a module that takes three seconds to import, as one
with large libraries does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil

from benchmarks.race.report import spread
from benchmarks.race.results import machine
from gnomon.log import InferenceLog
from gnomon.settings import Settings
from gnomon.testing import free_port

OUT = Path(__file__).parent / "results" / "restart.json"

PATIENCE_SECONDS = 15.0
STEADY_SECONDS = 1.0
"""So long every request must be answered with 200 before the gateway is killed again."""
ROUND_SECONDS = 60.0
KILLED = ("gateway", "gateway and live worker")
LOAD_SECONDS = {"small": 0.0, "slow to load": 3.0}
"""By model, what its code takes to import where it is served."""

CODE = """
import os, time
from sklearn.base import BaseEstimator, TransformerMixin

if "GNOMON_ROOT" in os.environ:
    time.sleep({seconds})

class Twice(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X * 2

    def get_feature_names_out(self, names=None):
        return names
"""
SCRIPT = """
import numpy as np, pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
import gnomon
from preprocessing import Twice

x = np.arange(1.0, 65.0)
frame = pd.DataFrame({"x": x})
gnomon.pack("toy", make_pipeline(Twice(), LinearRegression()).fit(frame, x), frame, x)
"""
SERVICE = 'from gnomon.service import gateway\n\nGateway = gateway("toy")\n'
REQUEST = (
    b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    b'Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{"x": 2.5}'
)


@dataclass
class Outcome:
    """One request: when it was sent, how it ended and when."""

    sent: float
    how: str
    ended: float
    request_id: str | None = None


class Round(msgspec.Struct):
    """One death of the gateway, in seconds since it.

    Attributes:
        killed: whether the live worker was killed with it.
        first_503: the first answer with 503; None if there was none.
        first_200: the first answer to a request sent after the death.
        steady: from when on there was nothing but 200.
        longest: what the slowest request of the round took.
        outcomes: of the requests sent from the death to ``steady``, or broken off by it.
    """

    killed: str
    first_503: float | None
    first_200: float
    steady: float
    longest: float
    outcomes: dict[str, int]


async def ask(port: int, seen: list[Outcome]) -> None:
    """Send one request on a connection of its own."""
    sent = time.monotonic()
    how, request_id, body = "", None, b""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(REQUEST)
                body = await reader.read()
            finally:
                writer.close()
        how = body[9:12].decode() or "closed without an answer"
        if how == "200":
            request_id = json.loads(body.partition(b"\r\n\r\n")[2])["request_id"]
    except ValueError:
        how = "answer cut short"
    except TimeoutError:
        how = f"no answer in {PATIENCE_SECONDS:g} s"
    except OSError as error:
        how = type(error).__name__
    seen.append(Outcome(sent, how, time.monotonic(), request_id))


async def rounds(port: int, server: int, kills: int, rate: float) -> tuple[list[Round], set[str]]:
    """Kill the gateway so many times under an open loop of requests."""
    seen: list[Outcome] = []
    acknowledged: set[str] = set()
    asking: set[asyncio.Task[None]] = set()

    async def keep_asking() -> None:
        due = time.monotonic()
        while True:
            asking.add(task := asyncio.create_task(ask(port, seen)))
            task.add_done_callback(asking.discard)
            due += 1 / rate
            await asyncio.sleep(max(due - time.monotonic(), 0))

    clients = asyncio.create_task(keep_asking())
    found = []
    try:
        for number in range(kills):
            await until_steady(seen, time.monotonic())
            acknowledged |= {o.request_id for o in seen if o.request_id}
            seen.clear()
            workers = processes(server, "gnomon.worker") if number % 2 else []
            killed = time.monotonic()
            for process in (*processes(server, "--service-name"), *workers):
                process.kill()
            await until_steady(seen, killed)
            found.append(summary(seen, killed, KILLED[number % 2]))
            print(f"{number + 1:3}  {found[-1]}", flush=True)
    finally:
        clients.cancel()
        await asyncio.gather(*asking)
    return found, acknowledged | {o.request_id for o in seen if o.request_id}


async def until_steady(seen: list[Outcome], since: float) -> None:
    """Until nothing but 200 has come for a while.

    Raises:
        SystemExit: it did not become so.
    """
    limit = since + ROUND_SECONDS
    while time.monotonic() < limit:
        await asyncio.sleep(0.02)
        if time.monotonic() < since + 2 * STEADY_SECONDS:
            continue
        last = [o.how for o in seen if o.ended > time.monotonic() - STEADY_SECONDS]
        if len(last) > 5 and set(last) == {"200"}:
            return
    raise SystemExit(f"not steady after {ROUND_SECONDS:g} s: {Counter(o.how for o in seen)}")


def summary(seen: list[Outcome], killed: float, what: str) -> Round:
    """Return what the clients saw of a round."""
    after = [o for o in seen if o.sent >= killed]
    told = [o.ended for o in seen if o.how == "503"]
    steady = max((o.ended for o in seen if o.how != "200"), default=killed)
    hit = [o for o in seen if o.ended >= killed and o.sent <= steady]
    return Round(
        killed=what,
        first_503=round(min(told) - killed, 3) if told else None,
        first_200=round(min(o.ended for o in after if o.how == "200") - killed, 3),
        steady=round(steady - killed, 3),
        longest=round(max(o.ended - o.sent for o in seen), 3),
        outcomes=dict(Counter(o.how for o in hit)),
    )


def processes(server: int, argument: str) -> list[psutil.Process]:
    """Return the processes of a server that were started with an argument."""
    children = psutil.Process(server).children(recursive=True)
    return [child for child in children if argument in child.cmdline()]


@contextmanager
def served(folder: Path, seconds: float) -> Iterator[tuple[int, int]]:
    """Serve a deployment of the model with ``gnomon serve``; yield port and process id."""
    (folder / "service").mkdir(parents=True)
    (folder / "service" / "__init__.py").write_text(SERVICE)
    (folder / "bentofile.yaml").write_text('service: "service:Gateway"\n')
    (folder / "preprocessing.py").write_text(CODE.format(seconds=seconds))
    environment = {**os.environ, "BENTOML_HOME": str(folder / "bentoml")}
    environment.pop("GNOMON_ROOT", None)
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, env=environment, check=True)
    port = free_port()
    with (folder / "server.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gnomon", "serve", ".", "--port", str(port)],
            cwd=folder,
            env={**environment, "GNOMON_ROOT": str(folder / "root")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(60)


def times_in_log(root: Path) -> Counter[str]:
    """Return how often each request is in the log."""
    log = InferenceLog(Settings(root=str(root)), "toy")
    counted: Counter[str] = Counter()
    for batch in log.scan(columns=["request_id"], role="live"):
        counted.update(batch["request_id"].to_pylist())
    return counted


def measure(name: str, kills: int, rate: float) -> dict[str, object]:
    """Run all rounds with one model."""
    print(f"\n{name}: a model whose code takes {LOAD_SECONDS[name]:g} s to import", flush=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        folder = Path(place) / "deployment"
        with served(folder, LOAD_SECONDS[name]) as (port, server):
            found, acknowledged = asyncio.run(rounds(port, server, kills, rate))
        logged = times_in_log(folder / "root")
    for what in KILLED:
        report([one for one in found if one.killed == what], what)
    wrong = sum(logged[request_id] != 1 for request_id in acknowledged)
    print(f"acknowledged     {len(acknowledged)}, not once in the log: {wrong}", flush=True)
    return {
        "rounds": msgspec.to_builtins(found),
        "acknowledged": len(acknowledged),
        "not_once_in_log": wrong,
    }


def report(found: list[Round], what: str) -> None:
    """Print what the rounds had in common."""
    outcomes: Counter[str] = Counter()
    for one in found:
        outcomes.update(one.outcomes)
    told = [one.first_503 for one in found if one.first_503 is not None]
    print(f"{what} killed, {len(found)} times")
    print(f"  first_503      {spread(told, '.3f')} s, in {len(told)} rounds")
    for name in ("first_200", "steady", "longest"):
        print(f"  {name:14} {spread([getattr(one, name) for one in found], '.2f')} s")
    print(f"  outcomes       {dict(outcomes)}", flush=True)


def main() -> None:
    """Serve, kill, report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.restart", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--models", nargs="+", choices=LOAD_SECONDS, default=[*LOAD_SECONDS])
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    packages = {name: version(name) for name in ("gnomon", "bentoml", "scikit-learn", "pyarrow")}
    print(f"{machine()}\n{packages}, load average {os.getloadavg()[0]:.1f}", flush=True)
    found = {name: measure(name, asked.kills, asked.rate) for name in asked.models}
    document = {"machine": machine(), "versions": packages, "rate": asked.rate, "models": found}
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    print(f"\nEvery figure: {asked.out}")


if __name__ == "__main__":
    main()
