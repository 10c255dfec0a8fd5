"""``python -m benchmarks.skew``: put known causes into real data and see which are named.

Every trial runs both sides in real workers and diagnoses what differs. Trials that change no answer
are counted apart: there is nothing to name. Prints JSON's path and a table.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.race.results import machine

OUT = Path(__file__).parents[1] / "results" / "skew.json"

NAMES = ["flights", "diabetes", "cancer", "wine", "digits"]

HOLDS = {
    "all": "features, steps and answers",
    "features": "features and answers",
    "answers": "answers",
}


def main() -> None:
    """Run what was asked for."""
    asked = arguments()
    for name in ("BENTOML_HOME", "GNOMON_ROOT"):
        os.environ[name] = tempfile.mkdtemp()
    warnings.simplefilter("ignore")
    from tests.skew.diagnosis.injections import CAUSES
    from tests.skew.diagnosis.worlds import worlds

    chosen = [world for world in worlds() if world.name in asked.worlds]
    results: list[dict[str, Any]] = []
    plan = list(trials(asked, list(CAUSES)))
    settings = list(itertools.product(asked.sees, asked.rows))
    for world in chosen:
        for sees, rows in settings:
            for causes, strength, seed in plan:
                results.append(one(world, causes, strength, seed, rows, sees))
            for seed in range(asked.healthy // len(chosen)):
                results.append(one(world, (), 0.0, seed, rows, sees))
        world.stack.close()
    asked.out.write_text(json.dumps({"machine": machine(), "trials": results}, indent=1))
    for sees, rows in settings:
        print(f"\n{rows:,} rows, the table holds {HOLDS[sees]}")
        print(table([r for r in results if (r["sees"], r["rows"]) == (sees, rows)]))
    print(f"Every trial: {asked.out}")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.skew")
    parser.add_argument("--worlds", nargs="+", default=NAMES)
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.1, 0.5, 0.9])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000])
    parser.add_argument("--pairs", type=int, default=30, help="pairs of causes in each world")
    parser.add_argument("--healthy", type=int, default=201, help="controls in all")
    parser.add_argument(
        "--sees", choices=HOLDS, nargs="+", default=["all"], help="what the table holds"
    )
    parser.add_argument("--causes", nargs="+", default=None)
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


def trials(asked: argparse.Namespace, every: list[str]) -> Any:
    """Return causes, strength and seed of every trial."""
    causes = asked.causes or every
    for cause, strength, seed in itertools.product(causes, asked.strengths, range(asked.seeds)):
        yield (cause,), strength, seed
    rng = np.random.default_rng(5)
    pairs = list(itertools.combinations([c for c in causes if c not in ALONE], 2))
    for place in rng.permutation(len(pairs))[: asked.pairs]:
        yield pairs[place], 0.5, int(place)


ALONE = {
    "float noise",
    "batch-dependent transform",
    "single-row dtype inference",
    "nondeterminism",
    "another version",
    "stale scaler statistics",
    "feedback loop",
}
"""Causes that are not paired: they are of the code or the artifact as a whole."""


def one(
    world: Any, causes: tuple[str, ...], strength: float, seed: int, rows: int, sees: str
) -> dict[str, Any]:
    """Return one trial as it is in the JSON."""
    from tests.skew.diagnosis.trial import trial

    began = time.monotonic()
    found = trial(world, list(causes), strength, seed, rows, sees)
    named = list(found.causes) if found else []
    verdict = "no divergence" if found is None else found.verdict
    print(
        f"{world.name:9} {sees:8} {rows:5} {' + '.join(causes) or 'healthy':45} {strength:.1f}  "
        f"{named or verdict}",
        flush=True,
    )
    return {
        "world": world.name,
        "causes": list(causes),
        "strength": strength,
        "seed": seed,
        "rows": rows,
        "sees": sees,
        "verdict": verdict,
        "named": named,
        "seconds": round(time.monotonic() - began, 2),
    }


def table(results: list[dict[str, Any]]) -> str:
    """Return the shares of causes that were named, and what was named instead."""
    alone = [r for r in results if len(r["causes"]) == 1 and r["verdict"] != "no divergence"]
    pairs = [r for r in results if len(r["causes"]) == 2 and r["verdict"] != "no divergence"]
    healthy = [r for r in results if not r["causes"]]
    right = sum(r["named"][:1] == r["causes"] for r in alone)
    unknown = sum(not r["named"] for r in alone)
    both = sum(set(r["causes"]) <= set(r["named"]) for r in pairs)
    wrong = Counter(
        (r["causes"][0], (r["named"] or ["unknown"])[0])
        for r in alone
        if r["named"][:1] != r["causes"]
    )
    lines = [
        f"alone: {right} of {len(alone)} named first, {unknown} unknown",
        f"pairs: {both} of {len(pairs)} with both named",
        f"healthy: {sum(bool(r['named']) for r in healthy)} of {len(healthy)} with a false alarm",
        *(f"  {cause}: named {named} {n} times" for (cause, named), n in wrong.most_common()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
