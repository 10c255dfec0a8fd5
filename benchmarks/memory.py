"""Whether the gateway's memory is flat: a million requests, with the log and a full shadow.

``python -m benchmarks.memory [--requests 100000]``. Resident memory of the gateway process, and
its proportional share, in megabytes: after a warm-up, and after every twentieth of the requests,
each time once traffic has paused.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks import decisions
from benchmarks.race import cases
from benchmarks.race.contenders import BASE, named
from benchmarks.race.load import closed_loop, need_wrk, write_requests
from benchmarks.race.results import machine
from benchmarks.race.serving import Served, serving
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.storage import Storage

OUT = Path(__file__).parent / "results" / "memory.json"

CONNECTIONS = 128
PARTS = 20
WARM_UP_SECONDS = 15
PAUSE_SECONDS = 1.0


def main() -> None:
    """Prepare, measure, report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument(
        "--decisions", type=float, metavar="MINUTES",
        help="measure the growth that comes of rollout decisions instead, for so long",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    need_wrk()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        print("training and packing", flush=True)
        (case,) = cases.prepare(cases.NAMES[:1], work)
        if asked.decisions is not None:
            decisions.run(case, work, asked.decisions, asked.out.with_stem("memory_decisions"))
            return
        script = write_requests(case.records, work / "requests.lua")
        with serving(named(BASE), case, work) as served:
            pid = gateway(served, case)
            pace = closed_loop(served.url, script, CONNECTIONS, WARM_UP_SECONDS).per_second
            seconds = max(1, round(asked.requests / pace / PARTS))
            print(f"{pace:,.0f} requests a second: {asked.requests / pace / 60:.0f} minutes")
            sent, errors = 0.0, 0
            readings = [(0.0, *memory(pid))]
            show(readings)
            while sent < asked.requests:
                figure = closed_loop(served.url, script, CONNECTIONS, seconds)
                sent, errors = sent + figure.per_second * seconds, errors + figure.errors
                readings.append((sent, *memory(pid)))
                show(readings)
    (_, resident, share), (_, last_resident, last_share) = readings[0], readings[-1]
    print(
        f"\n{machine()}\n\n{sent:,.0f} requests, {errors} errors: the gateway grew by "
        f"{last_resident - resident:.1f} MB resident, {last_share - share:.1f} MB proportional, "
        f"from {resident:.1f} MB."
    )
    document = {"machine": machine(), "requests_resident_proportional": readings, "errors": errors}
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    print(f"Every figure: {asked.out}")


def gateway(served: Served, case: cases.Case) -> int:
    """Return the gateway's process id, from its heartbeat."""
    storage = Storage(Settings(root=str(served.root)))
    while not (beats := heartbeats.read(storage, case.model)):
        time.sleep(0.1)
    return beats[0].pid


def memory(pid: int) -> tuple[float, float]:
    """Return resident and proportional megabytes, once traffic has paused."""
    time.sleep(PAUSE_SECONDS)
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    resident, share = (
        int(re.findall(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)[0]) * 1024 / 1e6
        for name in ("Rss", "Pss")
    )
    return resident, share


def show(readings: list[tuple[float, float, float]]) -> None:
    """Print the last reading next to the first."""
    sent, resident, share = readings[-1]
    print(
        f"{sent:11,.0f} requests  {resident:7.1f} MB resident ({resident - readings[0][1]:+.1f})"
        f"  {share:7.1f} MB proportional ({share - readings[0][2]:+.1f})",
        flush=True,
    )


if __name__ == "__main__":
    main()
