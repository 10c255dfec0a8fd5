"""Whether a server grows with its decisions: ``python -m benchmarks.memory --decisions 15``.

Clients ask without a pause while a shadow is started, promoted and rolled back, a decision every
few seconds. Resident memory of the gateway, of the sealer and of all other processes of the server
together, and the longest that one client waited for an answer, for each minute.
"""

from __future__ import annotations

import itertools
import json
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import psutil

from benchmarks.race.cases import Case
from benchmarks.race.contenders import named
from benchmarks.race.load import closed_loop, write_requests
from benchmarks.race.results import machine
from benchmarks.race.serving import serving
from gnomon.service.access.control_token import find_control_token
from gnomon.service.client.clients import Client
from gnomon.settings import Settings

__all__ = ["run"]

CONNECTIONS = 4
EVERY_SECONDS = 2.5
MINUTE = 60.0
ROLES = {"gateway": "--service-name", "sealer": "gnomon.log.seal"}


@dataclass
class Probe:
    """One client that asks all the time; ``seconds`` is what each answer took."""

    url: str
    body: bytes
    seconds: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Ask until told to stop."""
        with httpx.Client(timeout=30) as client:
            while not self.stop.wait(0.005):
                began = time.perf_counter()
                client.post(self.url, content=self.body).raise_for_status()
                self.seconds.append(time.perf_counter() - began)


def run(case: Case, work: Path, minutes: float, out: Path) -> None:
    """Measure and report."""
    script = write_requests(case.records, work / "requests.lua")
    readings: list[dict[str, float]] = []
    with serving(named("gnomon, log"), case, work) as served:
        settings = Settings(root=str(served.root))
        probe = Probe(served.url, json.dumps(case.records[0]).encode())
        load = threading.Thread(
            target=closed_loop,
            args=(served.url, script, CONNECTIONS, round((minutes + 0.5) * MINUTE)),
        )
        asks = threading.Thread(target=probe.run)
        load.start()
        asks.start()
        url = served.url.removesuffix("/predict")
        with Client(url, control_token=find_control_token(settings)) as control:
            decided, began, shown = decisions(control, case), time.monotonic(), 0.0
            made = 0
            while time.monotonic() < began + minutes * MINUTE:
                made += next(decided)
                time.sleep(EVERY_SECONDS)
                if time.monotonic() >= began + shown * MINUTE:
                    waits, probe.seconds = probe.seconds, []
                    readings.append(reading(served.root, made, waits))
                    show(shown, readings[-1])
                    shown += 1
        probe.stop.set()
        asks.join()
        load.join()
    first, last = readings[1], readings[-1]
    print(
        f"\n{machine()}\n\n{made} decisions in {minutes:g} minutes: from the second reading on, "
        f"the gateway grew by {last['gateway'] - first['gateway']:.1f} MB, the sealer by "
        f"{last['sealer'] - first['sealer']:.1f} MB; the longest that one answer took was "
        f"{max(r['longest_ms'] for r in readings):.0f} ms."
    )
    out.parent.mkdir(exist_ok=True)
    document = {"machine": machine(), "minutes": minutes, "readings": readings}
    out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    print(f"Every figure: {out}")


def decisions(control: Client, case: Case) -> Iterator[int]:
    """Take one decision after another without end; yield how many each step took."""
    for number in itertools.count():
        why = f"round {number}"
        control.start_shadow(case.shadow, why=why)
        yield 1
        control.promote(case.shadow, force=True, why=why)
        yield 1
        control.rollback(why=why)
        yield 1


def reading(root: Path, made: int, waits: list[float]) -> dict[str, float]:
    """Resident megabytes by role, and what the probe saw since the last reading."""
    found = {"decisions": float(made), "others": 0.0}
    marker = str(root)
    for process in psutil.process_iter():
        try:
            if process.environ().get("GNOMON_ROOT") != marker:
                continue
            words, megabytes = process.cmdline(), process.memory_info().rss / 1e6
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        role = next((role for role, word in ROLES.items() if word in words), "others")
        # A fork of the sealer has its command line, and is gone in a moment.
        found[role] = (
            found.get(role, 0.0) + megabytes
            if role == "others"
            else (min(found.get(role, megabytes), megabytes))
        )
    waited = sorted(waits) or [0.0]
    found["median_ms"] = statistics.median(waited) * 1e3
    found["longest_ms"] = waited[-1] * 1e3
    return found


def show(minute: float, found: dict[str, float]) -> None:
    """Print one line."""
    text = (
        f"{minute:4.0f} min  {found['decisions']:4.0f} decisions  "
        + "  ".join(f"{role} {found.get(role, 0.0):6.1f} MB" for role in (*ROLES, "others"))
        + f"  answers {found['median_ms']:5.1f} ms, at most {found['longest_ms']:6.1f} ms"
    )
    print(text, flush=True)
