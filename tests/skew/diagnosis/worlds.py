"""A pipeline on real data, flights out of New York, with a worker for each variant of it.

What a request has besides (a recurring entity, its history, nulls) is given to the rows
deterministically.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import gnomon
from benchmarks.skew.steps import Clock, Numbers
from gnomon.artifact import Artifact
from gnomon.contract.frames import from_frame
from gnomon.offline.rerun import Rerun, step_columns
from gnomon.settings import Settings
from gnomon.worker import WorkerClient
from models.data import flights

__all__ = ["World", "flights_world"]

Frame = pd.DataFrame


@dataclass
class World:
    """A pipeline, its data, and a worker for every variant of it that is asked for.

    Attributes:
        name: of the data.
        frame: all rows: the first half was trained on, the second is served.
        target: of all rows.
        numbers: columns of floats, the widest ones first.
        texts: columns of labels.
        build: makes the pipeline.
    """

    name: str
    frame: Frame
    target: pd.Series
    numbers: list[str]
    texts: list[str]
    build: Callable[[], Pipeline]
    stack: ExitStack = field(default_factory=ExitStack)
    packed: dict[str, Artifact] = field(default_factory=dict)
    _running: dict[tuple[str, str], Rerun] = field(default_factory=dict)

    @property
    def served(self) -> Frame:
        """The rows that requests are made of."""
        return self.frame.iloc[len(self.frame) // 2 :].reset_index(drop=True)

    def artifact(self, variant: str = "", *, rows: slice | None = None, **spoiled: Any) -> Artifact:
        """The artifact of a variant.

        Args:
            variant: its name.
            rows: it is fitted on; the first half when not given.
            spoiled: what to change in it once it is fitted, by the names in ``_SPOILED``.
        """
        if variant not in self.packed:
            rows = rows or slice(0, len(self.frame) // 2)
            frame, y = self.frame.iloc[rows].reset_index(drop=True), self.target.iloc[rows]
            pipeline = self.build().fit(frame, y)
            for name, value in spoiled.items():
                _SPOILED[name](pipeline, self.frame, value)
            self.packed[variant] = gnomon.pack(
                self.name,
                pipeline,
                frame,
                entity_key=("id",),
                event_time="at",
                version=f"v{variant or 'first'}",
                **QUIET,
            )
        return self.packed[variant]

    def rerun(self, artifact: Artifact, fault: str = "") -> Rerun:
        """A worker that runs an artifact, in an environment with or without a fault."""
        key = artifact.tag, fault
        if key not in self._running:
            flag = Path(tempfile.mkdtemp()) / "fault"
            os.environ["SKEW_BENCH"] = str(flag)
            settings = Settings.read()
            client = self.stack.enter_context(WorkerClient(artifact, settings))
            del os.environ["SKEW_BENCH"]
            flag.write_text(fault)
            self._running[key] = Rerun(client, artifact, settings)
        return self._running[key]

    def steps(self, artifact: Artifact, rerun: Rerun, rows: pa.RecordBatch) -> pa.Table:
        """Every step column."""
        return rerun.trace(rows, step_columns(artifact))

    def batch(self, artifact: Artifact, frame: Frame) -> pa.RecordBatch:
        """Rows as they are decoded."""
        return from_frame(frame, artifact.contract)


QUIET: dict[str, Any] = {"leakage": "off"}


def _rescale(pipeline: Pipeline, frame: Frame, rows: slice) -> None:
    """Give the scaler the statistics of other rows; what comes before it is left alone."""
    numbers, names = _numbers(pipeline)
    numbers["scaled"].fit(numbers[:-1].transform(frame.iloc[rows][names]))


def _refill(pipeline: Pipeline, frame: Frame, statistic: str) -> None:
    """Give the imputer another statistic of the training rows; the scaler and model stay."""
    numbers, names = _numbers(pipeline)
    rows = frame.iloc[: len(frame) // 2][names]
    numbers["filled"].set_params(strategy=statistic).fit(numbers[:1].transform(rows))


def _move(pipeline: Pipeline, _: Frame, zone: str) -> None:
    """Read another clock than the one that the model was trained by."""
    pipeline["columns"].named_transformers_["clock"].zone = zone


_SPOILED: dict[str, Callable[[Pipeline, Frame, Any], None]] = {
    "scaled": _rescale,
    "statistic": _refill,
    "zone": _move,
}
"""What is changed in a fitted pipeline, so that the model is the one of the other side."""


def _numbers(pipeline: Pipeline) -> tuple[Pipeline, list[str]]:
    """The steps of the numbers, and the features they read."""
    _, steps, names = pipeline["columns"].transformers_[1]
    return steps, names


def _one_hot() -> Any:
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False)


def _ordinal() -> Any:
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def _pipeline(
    numbers: list[str], texts: list[str], model: Callable[[], Any], labels: Callable[[], Any]
) -> Callable[[], Pipeline]:
    def build() -> Pipeline:
        filled = Pipeline(
            [
                ("raw", Numbers()),
                ("filled", SimpleImputer(strategy="mean")),
                ("scaled", StandardScaler()),
            ]
        )
        columns = ColumnTransformer(
            [("clock", Clock(), ["at"]), ("numbers", filled, numbers), ("labels", labels(), texts)],
            verbose_feature_names_out=False,
        )
        return Pipeline([("columns", columns), ("model", model())])

    return build


def flights_world() -> World:
    """Flights in April and May: is one late?"""
    rows = flights(4, 5).dropna(subset=["outcome"])
    rows = rows.iloc[:: len(rows) // 4_000].reset_index(drop=True).iloc[:4_000]
    numbers = ["distance", "temp", "pressure", "wind_speed", "plane_year", "humid", "visib"]
    texts = ["carrier", "origin"]
    frame = _with_history(
        rows[numbers + texts].astype(dict.fromkeys(texts, str)), rows["time_hour"], numbers[1]
    )
    numbers = [*numbers, "recent"]
    build = _pipeline(
        numbers, texts, lambda: LogisticRegression(max_iter=2000, random_state=1), _one_hot
    )
    return World("flights", frame, rows["outcome"], numbers, texts, build)


def _with_history(frame: Frame, at: pd.Series, of: str) -> Frame:
    """Who and when; what was measured last time of the same one; and nulls where there are none."""
    rng = np.random.default_rng(11)
    frame["id"] = [f"e{i}" for i in rng.integers(0, len(frame) // 12, len(frame))]
    frame["at"] = at.astype("datetime64[us, UTC]").to_numpy()
    frame["at"] = pd.to_datetime(frame["at"], utc=True).astype("datetime64[us, UTC]")
    for name in frame.select_dtypes(include=["category"]).columns:
        frame[name] = frame[name].astype(str)
    known = frame[of].fillna(frame[of].median())
    frame["recent"] = known.groupby(frame["id"]).transform(lambda s: s.expanding().mean()).round(6)
    for name in frame.columns:
        if frame[name].dtype == float and name != "recent":
            frame.loc[rng.random(len(frame)) < 0.06, name] = np.nan
        elif frame[name].dtype.kind == "i":
            frame[name] = frame[name].astype(float)
    return frame
