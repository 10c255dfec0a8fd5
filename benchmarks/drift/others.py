"""Drift metrics compared with Evidently's and NannyML's, each in an environment of its own.

::

    python -m benchmarks.drift.others

Training is as many flights of January to March as a profile counts, served are those of April.
Gnomon gets the frozen bins and the rows as its log would give them; the others get both tables as
they are.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.dummy import DummyRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks.race.environments import make
from gnomon.artifact.profile import MOST_ROWS, profile
from gnomon.contract import from_frame, infer_contract
from gnomon.drift import DriftBatch, DriftCounts
from gnomon.drift.bins import Bins
from gnomon.drift.metrics import BinnedSides, measures
from models.data import flights

COLUMNS = ("distance", "temp", "humid", "wind_speed", "minute", "carrier", "origin")
METRICS = ("psi", "js", "ks", "wasserstein", "linf")

Found = dict[str, dict[str, float | None]]

EVIDENTLY = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from importlib.metadata import version
from evidently import Dataset, DataDefinition, Report
from evidently.metrics import ValueDrift

folder, columns = sys.argv[1], json.loads(sys.argv[2])
before, now = (pd.read_parquet(f"{folder}/{n}.parquet") for n in ("training", "served"))
kinds = {c: pd.api.types.is_numeric_dtype(before[c]) for c in columns}
definition = DataDefinition(
    numerical_columns=[c for c in columns if kinds[c]],
    categorical_columns=[c for c in columns if not kinds[c]],
)
sides = [Dataset.from_pandas(f, data_definition=definition) for f in (now, before)]
names = {"psi": "psi", "js": "jensenshannon", "wasserstein": "wasserstein"}
found = {}
for column in columns:
    found[column] = {}
    for name, method in names.items():
        if name == "wasserstein" and not kinds[column]:
            continue
        run = Report([ValueDrift(column=column, method=method)]).run(*sides)
        found[column][name] = float(run.dict()["metrics"][0]["value"])
print(json.dumps({"version": version("evidently"), "found": found}))
"""

NANNYML = """
import json, sys, warnings, logging
warnings.filterwarnings("ignore")
import pandas as pd
from importlib.metadata import version
import nannyml

folder, columns = sys.argv[1], json.loads(sys.argv[2])
before, now = (pd.read_parquet(f"{folder}/{n}.parquet") for n in ("training", "served"))
numbers = [c for c in columns if pd.api.types.is_numeric_dtype(before[c])]
names = {
    "jensen_shannon": "js", "kolmogorov_smirnov": "ks",
    "wasserstein": "wasserstein", "l_infinity": "linf",
}
drift = nannyml.UnivariateDriftCalculator(
    column_names=columns,
    treat_as_categorical=[c for c in columns if c not in numbers],
    continuous_methods=["jensen_shannon", "kolmogorov_smirnov", "wasserstein"],
    categorical_methods=["jensen_shannon", "l_infinity"],
    chunk_number=1,
)
table = drift.fit(before).calculate(now).filter(period="analysis").to_df()
found = {c: {} for c in columns}
for column, method, field in table.columns:
    if field == "value" and column in found:
        found[column][names[method]] = float(table[(column, method, field)].iloc[0])
print(json.dumps({"version": version("nannyml"), "found": found}))
"""


def main() -> None:
    """Print one table a metric."""
    known = flights(1, 2, 3).sample(MOST_ROWS, random_state=0).reset_index(drop=True)
    served = flights(4).reset_index(drop=True)
    others = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, frame in (("training", known), ("served", served)):
            _plain(frame).to_parquet(Path(folder) / f"{name}.parquet")
        for name, code in (("evidently", EVIDENTLY), ("nannyml", NANNYML)):
            others[name] = _ask(name, code, folder)
    print(f"{len(known):,} rows in training, {len(served):,} served")
    print(", ".join(f"{name} {found['version']}" for name, found in others.items()))
    tables = {"gnomon": _gnomon(known, served)} | {n: f["found"] for n, f in others.items()}
    raw = _raw(known, served)
    for metric in METRICS:
        _print(metric, tables | {"scipy, raw": raw})


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return columns of types that every version of pandas reads."""
    return pd.DataFrame(
        {c: frame[c].astype("float64" if _is_number(frame[c]) else object) for c in COLUMNS}
    )


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column)


def _ask(name: str, code: str, folder: str) -> dict[str, Any]:
    """Ask another library for its result."""
    command = [str(make(name) / "python"), "-c", code, folder, json.dumps(COLUMNS)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _gnomon(known: pd.DataFrame, served: pd.DataFrame) -> Found:
    """The library's own metrics, from the training profile and counts."""
    frames = [frame[list(COLUMNS)] for frame in (known, served)]
    contract = infer_contract(frames[0], task="regression")
    one = make_pipeline(FunctionTransformer(_ones), DummyRegressor())
    one.fit(frames[0], np.arange(len(frames[0])))
    rows = [r for r in profile(one, frames[0], contract).to_pylist() if r["kind"] == "input"]
    domains = {feature.name: feature.domain for feature in contract.features}
    counts = DriftCounts([Bins.read(row, domains[row["name"]]) for row in rows])
    batch = from_frame(frames[1], contract)
    columns: dict[tuple[str, str], pa.Array] = {
        ("input", name): column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    ids = [f"{i}/0" for i in range(batch.num_rows)]
    counts.add(DriftBatch(columns, np.zeros(batch.num_rows), ids))
    return {
        column.bins.name: dict(measures(BinnedSides.from_training(column.bins, column.total())))
        for column in counts
    }


def _ones(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"one": np.ones(len(frame))})


def _raw(known: pd.DataFrame, served: pd.DataFrame) -> Found:
    """Return SciPy's KS and Wasserstein of all values."""
    from scipy import stats

    found: Found = {}
    for name in COLUMNS:
        if not _is_number(known[name]):
            continue
        left, right = (frame[name].dropna().to_numpy(float) for frame in (known, served))
        found[name] = {
            "ks": float(stats.ks_2samp(left, right).statistic),
            "wasserstein": float(stats.wasserstein_distance(left, right) / left.std()),
        }
    return found


def _print(metric: str, tables: dict[str, Found]) -> None:
    print(f"\n{metric:<12}" + "".join(f"{name:>12}" for name in tables))
    for column in COLUMNS:
        values = [found.get(column, {}).get(metric) for found in tables.values()]
        if any(value is not None for value in values):
            cells = "".join("           -" if v is None else f"{v:12.4f}" for v in values)
            print(f"{column:<12}{cells}")


if __name__ == "__main__":
    main()
