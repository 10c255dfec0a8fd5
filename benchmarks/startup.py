"""How long it takes until the first answer, compared with a bare BentoML service.

``python -m benchmarks.startup``. From the start of the process to the first prediction that is
answered with 200, asked for every 10 ms. The services take turns; a first turn, which fills the
file cache, does not count.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import msgspec

from benchmarks.race import cases, environments
from benchmarks.race.contenders import named
from benchmarks.race.report import spread
from benchmarks.race.results import machine
from benchmarks.race.serving import serving

OUT = Path(__file__).parent / "results" / "startup.json"

BARE = "BentoML"
SERVICES = (BARE, "gnomon, log", "gnomon, log and full shadow")


def main() -> None:
    """Prepare, measure, report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.startup", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    contenders = [named(name) for name in SERVICES]
    for contender in contenders:
        environments.make(contender.environment)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        print(f"training and packing, then {len(SERVICES) * (asked.rounds + 1)} starts", flush=True)
        (case,) = cases.prepare(cases.NAMES[:1], Path(folder))
        seconds: dict[str, list[float]] = {name: [] for name in SERVICES}
        for number in range(asked.rounds + 1):
            for contender in contenders:
                with serving(contender, case, Path(folder)) as served:
                    print(f"{number:3}  {contender.name:30} {served.seconds:.2f} s", flush=True)
                if number:
                    seconds[contender.name].append(served.seconds)
    print(f"\n{machine()}\n\n| service | first answer after, s | later than {BARE}, s |")
    print("|---|---:|---:|")
    for name, found in seconds.items():
        later = [own - bare for own, bare in zip(found, seconds[BARE], strict=True)]
        print(f"| {name} | {spread(found, '.2f')} | {spread(later, '.2f')} |")
    document = {"machine": machine(), "seconds": seconds}
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    print(f"\nEvery figure: {asked.out}")


if __name__ == "__main__":
    main()
