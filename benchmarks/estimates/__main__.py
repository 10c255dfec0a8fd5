"""Estimates of performance compared with NannyML's, which runs in an environment of its own.

::

    python -m benchmarks.estimates

Two models are trained on flights of January and February: whether a flight is late, and by how
many minutes. Those of March are the reference, those of April to June come in chunks of 10,000
rows. Both libraries get the same rows and answers; what was realised is beside them. Inputs drift
with the season, so `gnomon quality --estimate` would call these chunks unknown: what is compared
here is the arithmetic.
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
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from benchmarks.race.environments import make
from gnomon.contract import Contract
from gnomon.contract.feature import Feature, Output
from gnomon.estimates.confidence_based import fit_confidence_based
from gnomon.estimates.direct_loss import fit_direct_loss
from gnomon.estimates.loss_estimator import FittedEstimator, ReferenceRows
from gnomon.policy import Metric, Policy, QualityRules
from gnomon.rollout.quality.question import Question, question
from models.data import LATE_MINUTES, table

COLUMNS = ("minute", "distance", "temp", "humid", "wind_speed", "precip", "pressure", "visib",
           "plane_year", "plane_seats", "hour")  # fmt: skip
CHUNK = 10_000
CHUNKS = 8

Found = dict[str, list[float]]

NANNYML = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from importlib.metadata import version
import nannyml

folder, columns, chunk = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
reference, served = (pd.read_parquet(f"{folder}/{n}.parquet") for n in ("reference", "served"))

def values(estimator, metrics):
    table = estimator.fit(reference).estimate(served).filter(period="analysis").to_df()
    return {m: [float(v) for v in table[(m, "value")]] for m in metrics}

found = values(
    nannyml.CBPE(
        y_pred_proba="probability", y_pred="late", y_true="was_late",
        problem_type="classification_binary", metrics=["accuracy"], chunk_size=chunk,
    ),
    ["accuracy"],
)
found |= values(
    nannyml.DLE(
        feature_column_names=columns, y_pred="minutes", y_true="delay",
        metrics=["mae", "mse"], chunk_size=chunk,
    ),
    ["mae", "mse"],
)
print(json.dumps({"version": version("nannyml"), "found": found}))
"""


def main() -> None:
    """Print one table a metric, with the largest difference."""
    reference, served = answered(_flights(1, 2), _flights(3), _flights(4, 5, 6))
    served = served.iloc[: CHUNK * CHUNKS]
    with tempfile.TemporaryDirectory() as folder:
        for name, frame in (("reference", reference), ("served", served)):
            frame.to_parquet(Path(folder) / f"{name}.parquet")
        other = _nannyml(folder)
    print(f"{len(reference):,} rows in the reference; nannyml {other['version']}")
    theirs = other["found"]
    theirs["error"] = [1 - accuracy for accuracy in theirs.pop("accuracy")]
    ours = {"error": _classified(reference, served), **_predicted(reference, served)}
    for metric, (estimated, realised) in ours.items():
        _print(metric, estimated, theirs[metric], realised)


def answered(*months: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train on the first months; return the answers to the others, without flights cancelled."""
    training, *others = months
    classifier = HistGradientBoostingClassifier(random_state=0)
    classifier.fit(training[list(COLUMNS)], training["was_late"])
    regressor = HistGradientBoostingRegressor(random_state=0)
    regressor.fit(training[list(COLUMNS)], training["delay"])
    for frame in others:
        features = frame[list(COLUMNS)]
        frame["probability"] = classifier.predict_proba(features)[:, 1]
        frame["late"] = (frame["probability"] > 0.5).astype(int)
        frame["minutes"] = regressor.predict(features)
    return others[0], others[1]


def _flights(*months: int) -> pd.DataFrame:
    """Return the flights of these months that landed, in order of time, with their weather."""
    frame = table("flights")
    frame = frame[frame["month"].isin(months) & frame["arr_delay"].notna()]
    weather = table("weather").drop(columns=["year", "month", "day", "hour"])
    planes = table("planes")[["tailnum", "year", "seats"]].rename(
        columns={"year": "plane_year", "seats": "plane_seats"}
    )
    frame = frame.merge(weather, on=["origin", "time_hour"], how="left")
    frame = frame.merge(planes, on="tailnum", how="left").sort_values("time_hour")
    found = frame[list(COLUMNS)].astype("float64").reset_index(drop=True)
    found["delay"] = frame["arr_delay"].to_numpy(float).clip(-120, 240)
    found["was_late"] = (frame["arr_delay"] > LATE_MINUTES).to_numpy(int)
    return found


def _nannyml(folder: str) -> dict[str, Any]:
    command = [str(make("nannyml") / "python"), "-c", NANNYML, folder, json.dumps(COLUMNS)]
    done = subprocess.run([*command, str(CHUNK)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"nannyml failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _contract(*outputs: str, classes: tuple[int, ...] = ()) -> Contract:
    return Contract(
        task="classification" if classes else "regression",
        classes=classes,
        features=tuple(
            Feature(name=name, type="float", dtype="float64", nullable=True) for name in COLUMNS
        ),
        outputs=(
            Output(name="prediction", type="integer" if classes else "float"),
            *(Output(name=name, type="float") for name in outputs),
        ),
    )


def _classified(reference: pd.DataFrame, served: pd.DataFrame) -> tuple[list[float], list[float]]:
    contract = _contract("probability_0", "probability_1", classes=(0, 1))
    asked = question(contract, contract, Policy())
    metrics: tuple[Metric, ...] = ("error",)

    def outputs(frame: pd.DataFrame) -> dict[str, pa.Array]:
        late = frame["probability"].to_numpy()
        return {
            "prediction": pa.array(frame["late"]),
            "probability_0": pa.array(1 - late),
            "probability_1": pa.array(late),
        }

    rows = _rows(asked, contract, reference, outputs(reference), "was_late")
    fitted = fit_confidence_based(asked, metrics, rows)
    chunks = [part for _, part in served.groupby(np.arange(len(served)) // CHUNK)]
    estimated = [_mean(fitted, "error", asked, contract, part, outputs(part)) for part in chunks]
    return estimated, [float((part["late"] != part["was_late"]).mean()) for part in chunks]


def _predicted(
    reference: pd.DataFrame, served: pd.DataFrame
) -> dict[str, tuple[list[float], list[float]]]:
    contract = _contract()
    asked = question(contract, contract, Policy(quality=QualityRules(max_error=1e6)))
    metrics: dict[str, Metric] = {"mae": "absolute_error", "mse": "squared_error"}

    def outputs(frame: pd.DataFrame) -> dict[str, pa.Array]:
        return {"prediction": pa.array(frame["minutes"])}

    rows = _rows(asked, contract, reference, outputs(reference), "delay")
    fitted = fit_direct_loss(asked, tuple(metrics.values()), contract, rows)
    chunks = [part for _, part in served.groupby(np.arange(len(served)) // CHUNK)]
    powers = {"mae": 1, "mse": 2}
    return {
        name: (
            [_mean(fitted, metric, asked, contract, part, outputs(part)) for part in chunks],
            [
                float((part["minutes"] - part["delay"]).abs().pow(powers[name]).mean())
                for part in chunks
            ],
        )
        for name, metric in metrics.items()
    }


def _rows(
    asked: Question,
    contract: Contract,
    frame: pd.DataFrame,
    outputs: dict[str, pa.Array],
    label: str,
) -> ReferenceRows:
    return ReferenceRows(
        _inputs(frame),
        asked.answers(contract, outputs),
        asked.truth(pa.array(frame[label])),
        np.arange(len(frame)),
    )


def _inputs(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame[list(COLUMNS)], preserve_index=False)


def _mean(
    fitted: FittedEstimator,
    metric: Metric,
    asked: Question,
    contract: Contract,
    frame: pd.DataFrame,
    outputs: dict[str, pa.Array],
) -> float:
    """Return the estimate of a chunk, as reports give it."""
    losses = fitted.estimator.losses(_inputs(frame), asked.answers(contract, outputs))
    return float(losses[metric].mean() + fitted.errors[metric].bias)


def _print(metric: str, ours: list[float], theirs: list[float], realised: list[float]) -> None:
    print(f"\n{metric:<10}{'gnomon':>10}{'nannyml':>10}{'realised':>10}")
    for chunk, values in enumerate(zip(ours, theirs, realised, strict=True), 1):
        print(f"chunk {chunk:<4}" + "".join(f"{value:10.4f}" for value in values))
    largest = max(abs(a - b) / b for a, b in zip(ours, theirs, strict=True))
    print(f"largest difference from nannyml: {largest:.1%}")


if __name__ == "__main__":
    main()
