"""Whether a server stays the size it is: an hour of mixed traffic, a decision every ten seconds.

``python -m benchmarks.long_run [--minutes 60] [--out FILE]``. Single rows, batches, requests that
are rejected, ``/metrics``, status, history and pages are asked for at a modest rate, while a shadow
is started and stopped, promoted and rolled back. Every half minute the proportional memory (PSS) of
all processes of the server, by role. Around each decision a client asks for one row every 5 ms: how
long the longest answer took from the decision to four seconds after, when it has been carried out,
compared with the longest of the four seconds before.
"""

from __future__ import annotations

import argparse
import collections
import http.client
import itertools
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
import psutil

from benchmarks.race import cases
from benchmarks.race.cases import Case
from benchmarks.race.contenders import Contender
from benchmarks.race.results import machine
from benchmarks.race.serving import Served, serving
from gnomon.service.access.control_token import find_control_token
from gnomon.service.client.clients import Client
from gnomon.settings import Settings

MINUTE = 60.0
DECISION_SECONDS = 10.0
SAMPLE_SECONDS = 30.0
TRAFFIC_SECONDS = 0.05
TICK_SECONDS = 0.005
WINDOW_SECONDS = 4.0

WARM_UP_MINUTES = 5.0
SETTLED_MINUTES = 5.0
"""Growth is the median of the last so many minutes less that of the first ones after warm-up: at
one moment a worker more or less is loading."""

SERVE = Contender("gnomon serve", ("gnomon", "serve", ".", "--port", "{port}"), shadowed=False)

ROLES = {
    "gnomon.log.seal": "sealer",
    "gnomon.shadow.feed": "shadow feeds",
    "gnomon.worker": "workers",
    "gnomon.service.lane.codec_process": "codec",
    "gnomon.service.slice.standby_process": "standby",
    "--service-name": "gateway",
}
"""What in a command line tells the role; all others are the supervisor's."""

Take = tuple[str, Callable[[], object]]


@dataclass
class Ticker:
    """One client that asks for one row every 5 ms while it is told to.

    Attributes:
        seconds: what each answer took since :meth:`worst` was last asked.
    """

    served: Served
    body: bytes
    seconds: list[float] = field(default_factory=list)
    running: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Ask until told to end."""
        link = connect(self.served)
        while not self.ended.is_set():
            if not self.running.wait(0.1):
                link.close()  # The server closes what idles for 5 s.
                continue
            began = time.perf_counter()
            link.request("POST", "/predict", self.body)
            answer = link.getresponse()
            answer.read()
            took = time.perf_counter() - began
            if answer.status != 200:
                raise SystemExit(f"the ticker got {answer.status}")
            self.seconds.append(took)
            time.sleep(max(0.0, TICK_SECONDS - took))

    def worst(self, act: Callable[[], object]) -> float:
        """The longest that an answer took, in milliseconds, while something is done."""
        self.seconds.clear()
        self.running.set()
        try:
            act()
        finally:
            self.running.clear()
        return max(self.seconds, default=0.0) * 1e3


@dataclass
class Traffic:
    """Mixed requests at a steady pace, and how many were answered with which status."""

    served: Served
    token: str
    case: Case
    statuses: collections.Counter[str] = field(default_factory=collections.Counter)
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Send requests until told to end."""
        link = connect(self.served)
        for kind, method, path, body in self.requests():
            if self.ended.wait(TRAFFIC_SECONDS):
                return
            headers = {"Authorization": f"Bearer {self.token}"} if "/gnomon/" in path else {}
            link.request(method, path, body, headers)
            answer = link.getresponse()
            answer.read()
            self.statuses[f"{kind} {answer.status}"] += 1

    def requests(self) -> Iterator[tuple[str, str, str, bytes | None]]:
        """Yield kind, method, path and body of each request, without end."""
        chance = random.Random(1)
        bodies = [json.dumps(record).encode() for record in self.case.records]
        batch = json.dumps({"rows": list(self.case.records[:100])}).encode()
        wrong = json.dumps({**self.case.records[0], "distance": "far"}).encode()
        reads = itertools.cycle(
            ("/metrics", "/gnomon/status", "/", "/status.json", "/gnomon/history", "/docs.json",
             "/readyz", "/livez")
        )  # fmt: skip
        for number in itertools.count():
            if number % 50 == 0:
                yield "read", "GET", next(reads), None
            elif number % 20 == 1:
                yield "batch", "POST", "/predict", batch
            elif number % 20 == 2:
                yield "wrong row", "POST", "/predict", wrong
            elif number % 20 == 3:
                yield "no JSON", "POST", "/predict", b"carrier=UA"
            elif number % 20 == 4:
                yield "unknown path", "GET", f"/{chance.getrandbits(64):x}", None
            elif number % 20 == 5:
                unknown = {**self.case.records[0], f"f{chance.getrandbits(64):x}": 1}
                yield "unknown field", "POST", "/predict", json.dumps(unknown).encode()
            else:
                yield "row", "POST", "/predict", chance.choice(bodies)


@dataclass(frozen=True)
class Decided:
    """One decision: what, how long its answer took, and the longest answer with and without it."""

    kind: str
    seconds: float
    longest_ms: float
    quiet_ms: float


def main() -> None:
    """Prepare, run, report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.long_run", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write every figure as JSON")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        print("training and packing", flush=True)
        (case,) = cases.prepare(cases.NAMES[:1], work)
        with serving(SERVE, case, work) as served:
            run(case, served, asked.minutes, asked.out)


def run(case: Case, served: Served, minutes: float, out: Path | None) -> None:
    """Send requests, take decisions and sample memory, then report."""
    token = find_control_token(Settings(root=str(served.root)))
    assert token is not None, "a server that answers has made its token"
    ticker = Ticker(served, json.dumps(case.records[0]).encode())
    traffic = Traffic(served, token, case)
    threads = [threading.Thread(target=each.run, daemon=True) for each in (ticker, traffic)]
    for thread in threads:
        thread.start()
    samples: list[dict[str, float]] = []
    decided: list[Decided] = []
    began = time.monotonic()
    with Client(base(served), control_token=token) as control:
        due = began
        for kind, take in decisions(control, case):
            due += DECISION_SECONDS
            time.sleep(max(0.0, due - time.monotonic()))
            if time.monotonic() - began > minutes * MINUTE:
                break
            decided.append(one_decision(kind, take, ticker))
            if not all(thread.is_alive() for thread in threads):
                raise SystemExit("a client has ended: its traceback is above")
            if time.monotonic() >= began + len(samples) * SAMPLE_SECONDS:
                samples.append(sample(served, (time.monotonic() - began) / MINUTE))
                show(samples[-1], decided)
    ticker.ended.set()
    traffic.ended.set()
    for thread in threads:
        thread.join()
    report(samples, decided, traffic)
    if out is not None:
        document = {
            "machine": machine(), "minutes": minutes, "samples": samples,
            "decisions": decided, "statuses": traffic.statuses,
        }  # fmt: skip
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        print(f"Every figure: {out}")


def decisions(control: Client, case: Case) -> Iterator[Take]:
    """Take one decision after another; ``case.live`` is live at the start and the end."""
    for number in itertools.count():
        why = {"why": f"round {number}"}
        yield "shadow start", partial(control.start_shadow, case.shadow, **why)
        yield "promote", partial(control.promote, case.shadow, force=True, **why)
        yield "shadow start", partial(control.start_shadow, case.live, **why)
        yield "shadow stop", partial(control.stop_shadow, case.live, **why)
        yield "rollback", partial(control.rollback, **why)


def one_decision(kind: str, take: Callable[[], object], ticker: Ticker) -> Decided:
    """Take a decision while the ticker asks, after an equal time without a decision."""
    took = 0.0

    def act() -> None:
        nonlocal took
        began = time.perf_counter()
        take()
        took = time.perf_counter() - began
        time.sleep(WINDOW_SECONDS)

    quiet = ticker.worst(lambda: time.sleep(WINDOW_SECONDS))
    return Decided(kind, took, ticker.worst(act), quiet)


def sample(served: Served, minute: float) -> dict[str, float]:
    """Return the proportional megabytes by role, and in total."""
    found: collections.Counter[str] = collections.Counter()
    marker = str(served.root)
    for process in psutil.process_iter():
        try:
            if process.environ().get("GNOMON_ROOT") != marker:
                continue
            found[role(process.cmdline())] += process.memory_full_info().pss / 1e6
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return {"minute": minute, **found, "together": found.total()}


def role(command: Sequence[str]) -> str:
    """Return the role of a process of the server."""
    text = " ".join(command)
    return next((name for sign, name in ROLES.items() if sign in text), "supervisor")


def show(found: dict[str, float], decided: Sequence[Decided]) -> None:
    """Print one line."""
    recent = decided[-3:]
    text = "  ".join(f"{name} {megabytes:.0f}" for name, megabytes in list(found.items())[1:])
    longest = max(each.longest_ms for each in recent)
    print(f"{found['minute']:5.1f} min  {len(decided):3d} decisions", end="  ")
    print(f"MB: {text}  longest answer {longest:.0f} ms", flush=True)


def report(samples: list[dict[str, float]], decided: list[Decided], traffic: Traffic) -> None:
    """Print what grew, by how much, and how long answers took around decisions."""
    end = samples[-1]["minute"]
    start = min(WARM_UP_MINUTES, end / 4)
    first = [s for s in samples if start <= s["minute"] <= start + SETTLED_MINUTES]
    last = [s for s in samples if s["minute"] >= end - SETTLED_MINUTES]
    print(f"\n{machine()}\n\n{len(decided)} decisions in {end:.0f} minutes.")
    print(f"Median MB from minute {start:.0f} on, in the last {SETTLED_MINUTES:.0f}, and growth:")
    for name in [name for name in last[-1] if name != "minute"]:
        before, after = (
            statistics.median(s.get(name, 0.0) for s in part) for part in (first, last)
        )
        print(f"  {name:<13} {before:7.1f} {after:7.1f} {after - before:+7.1f}")
    quiet = [each.quiet_ms for each in decided]
    print(f"The longest answer of four seconds, ms: {spread(quiet)} where nothing was decided;")
    for kind in dict.fromkeys(each.kind for each in decided):
        mine = [each for each in decided if each.kind == kind]
        print(
            f"  {kind:<13} {spread([each.longest_ms for each in mine])}, decided in "
            f"{statistics.median(each.seconds for each in mine):.2f} s"
        )
    print("Answers: " + ", ".join(f"{n:,} {kind}" for kind, n in sorted(traffic.statuses.items())))


def spread(figures: Sequence[float]) -> str:
    """Return the median and the maximum."""
    return f"{statistics.median(figures):.1f} (at most {max(figures):.1f})"


def connect(served: Served) -> http.client.HTTPConnection:
    """Open a connection that is kept."""
    return http.client.HTTPConnection(base(served).removeprefix("http://"), timeout=30)


def base(served: Served) -> str:
    """Return the server's URL."""
    return served.url.removesuffix("/predict")


if __name__ == "__main__":
    main()
