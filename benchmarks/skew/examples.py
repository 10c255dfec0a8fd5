"""``python -m benchmarks.skew.examples``: one worked example of every cause, as docs/causes.md.

Each is put into real flights, run on both sides in real workers, and diagnosed; what is printed is
what came out.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

OUT = Path(__file__).parents[2] / "docs" / "causes.md"
ROWS, STRENGTH, SEED, SHOWN = 1_000, 0.5, 2, 3

DONE = {
    "rounding": "Serving rounds a number that training had in full.",
    "float32": "Serving casts a feature to 32-bit floats.",
    "truncation": "Serving truncates a number that it should round or leave alone.",
    "float noise": "Offline ran on another machine, and the policy allows no difference.",
    "unit change": "A client begins to send a feature in another unit.",
    "imputation": "Nulls are filled in before the model, with another value than the pipeline's.",
    "missing feature": "A feature store times out for some requests, and a default stands in.",
    "category form": "A client writes a label in another form.",
    "unknown category": "A label arrives that training never saw.",
    "category code order": "Labels are assigned to codes in another order than in training.",
    "column order": "Two columns are exchanged on the way to the model.",
    "stale scaler statistics": "The artifact that serves has a scaler fitted on other rows.",
    "time zone": "Serving uses another time zone.",
    "locale": "A decimal comma is read as a thousands separator.",
    "date format": "Day and month are exchanged where both readings exist.",
    "stale data": "A cache answers with the value of an earlier request.",
    "temporal leakage": "The offline table has values that were known only after the prediction.",
    "feedback loop": "Online, `recent` grows by a part of the model's own last answer.",
    "batch-dependent transform": "A step takes a mean over the rows of its batch.",
    "single-row dtype inference": "A step infers a column's type from the rows at hand.",
    "nondeterminism": "A step draws random numbers without a seed.",
    "segment-local skew": "One carrier's feature is corrupted, without a pattern.",
    "another version": "The offline predictions are another version's.",
}


def main() -> None:
    """Run every example and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.skew.examples")
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    for name in ("BENTOML_HOME", "GNOMON_ROOT"):
        os.environ[name] = tempfile.mkdtemp()
    warnings.simplefilter("ignore")
    from tests.skew.diagnosis.injections import CAUSES
    from tests.skew.diagnosis.worlds import flights_world

    world = flights_world()
    with world.stack:
        parts = [_HEAD, *("\n".join(example(world, cause)) for cause in CAUSES)]
    out.write_text("\n\n".join(parts) + "\n")
    print(out)


_HEAD = f"""# Every cause, with an example

Made by `python -m benchmarks.skew.examples`: each cause is injected into {ROWS:,} real flights,
both sides are run in real workers, and the diagnosis says what it found. [How they are
distinguished](diagnose.md#the-causes). A library of another version needs two environments:
`tests/skew/diagnosis/test_other_environment.py` makes them."""


def example(world: Any, cause: str) -> Iterator[str]:
    """Return the lines of one example."""
    from tests.skew.diagnosis.injections import inject
    from tests.skew.diagnosis.trial import trial

    print(cause, flush=True)
    sides = inject(world, [cause], STRENGTH, SEED, ROWS)
    found = trial(world, [cause], STRENGTH, SEED, ROWS)
    assert found is not None, f"{cause} changes no answer"
    assert found.cause == cause, f"{cause} is called {found.cause}"
    yield f"## {cause.capitalize()}\n"
    yield f"{DONE[cause]}\n"
    if not sides.feedback:  # whose online values are made while it runs
        yield from _rows(sides.online, sides.offline)
    yield f"> **{found.sentence}**"
    yield from (f">\n> * {line}" for line in found.evidence)
    if found.repaired and not found.evidence:
        yield f">\n> * Undone, {found.repaired.rows:,} of {found.repaired.of:,} rows agree."
    yield f">\n> What to do: {found.action}"


def _rows(online: pd.DataFrame, offline: pd.DataFrame) -> Iterator[str]:
    """Return a few rows of the columns that differ, as each side has them."""
    differs = {
        name: (online[name] != offline[name]) & ~(online[name].isna() & offline[name].isna())
        for name in online
    }
    names = [name for name, rows in differs.items() if rows.any()]
    if not names:
        yield "The requests are the same on both sides.\n"
        return
    yield "| feature | online | offline |\n|---|---|---|"
    for name in names[:2]:
        rows = differs[name].to_numpy().nonzero()[0][:SHOWN]
        for left, right in zip(online[name].iloc[rows], offline[name].iloc[rows], strict=True):
            yield f"| `{name}` | `{left!s}` | `{right!s}` |"
    yield ""


if __name__ == "__main__":
    main()
