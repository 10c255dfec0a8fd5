"""Five pipelines on real data: flights out of New York, diabetes, breast cancer, wine and digits.

scikit-learn's own sets hold numbers only. What a request has besides (who, when, of which kind) is
given to their rows deterministically: a recurring patient, a visit every few hours, and bands of
real columns as labels.
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
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

import gnomon
from benchmarks.skew.steps import Clock, Numbers
from gnomon.artifact import Artifact
from gnomon.contract.frames import from_frame
from gnomon.offline.rerun import Rerun, step_columns
from gnomon.settings import Settings
from gnomon.worker import WorkerClient
from models.data import flights

__all__ = ["World", "flights_world", "worlds"]

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


def worlds() -> list[World]:
    """All five."""
    return [flights_world(), _diabetes(), _cancer(), _wine(), _digits()]


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
    """The one of flights alone, in a fifth of the time."""
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


def _diabetes() -> World:
    data = load_diabetes(as_frame=True, scaled=False)
    frame = pd.concat([data.data] * 6, ignore_index=True).iloc[:2_400]
    target = pd.concat([data.target] * 6, ignore_index=True).iloc[:2_400]
    numbers = ["bmi", "bp", "s1", "s3", "s5", "s6"]
    frame = frame.drop(columns=["s2", "s4"])
    frame["sex"] = np.where(frame["sex"] > 1.5, "Female", "Male")
    frame["band"] = pd.cut(frame.pop("age"), [0, 35, 45, 55, 65, 120], labels=list("ABCDE")).astype(
        str
    )
    frame = _with_history(frame, _visits(len(frame)), "s6")
    numbers = [*numbers, "recent"]
    build = _pipeline(numbers, ["sex", "band"], lambda: Ridge(alpha=1.0, random_state=1), _one_hot)
    return World("diabetes", frame, target, numbers, ["band", "sex"], build)


def _cancer() -> World:
    data = load_breast_cancer(as_frame=True)
    frame = pd.concat([data.data] * 5, ignore_index=True).iloc[:2_400]
    target = pd.concat([data.target] * 5, ignore_index=True).iloc[:2_400]
    target = target.map({0: "malignant", 1: "benign"})
    numbers = ["mean area", "mean radius", "mean texture", "worst perimeter", "worst smoothness"]
    frame = frame[[*numbers, "mean symmetry"]].copy()
    frame["clinic"] = pd.qcut(
        frame.pop("mean symmetry"), 6, labels=["North", "South", "East", "West", "Old Town", "Élan"]
    ).astype(str)
    frame["density"] = pd.qcut(frame["mean texture"], 3, labels=["low", "mid", "high"]).astype(str)
    frame = _with_history(frame, _visits(len(frame)), "mean texture")
    numbers = [*numbers, "recent"]
    build = _pipeline(
        numbers,
        ["clinic", "density"],
        lambda: HistGradientBoostingClassifier(max_iter=60, learning_rate=0.2, random_state=1),
        _ordinal,
    )
    return World("cancer", frame, target, numbers, ["clinic", "density"], build)


def _wine() -> World:
    """Three classes, a forest, and labels encoded by the target."""
    data = load_wine(as_frame=True)
    frame = pd.concat([data.data] * 12, ignore_index=True).iloc[:2_000]
    target = pd.concat([data.target] * 12, ignore_index=True).iloc[:2_000]
    rng = np.random.default_rng(2)  # the rows come by class
    order = rng.permutation(len(frame))
    frame, target = frame.iloc[order].reset_index(drop=True), target.iloc[order]
    target = target.reset_index(drop=True).map({0: "barolo", 1: "grignolino", 2: "barbera"})
    numbers = ["proline", "magnesium", "color_intensity", "alcalinity_of_ash", "malic_acid"]
    kept = frame[numbers].copy()
    for name, source, labels in (
        ("maker", "flavanoids", ["Rossi", "De Luca", "Conti", "Àlvaro", "Bruno"]),
        ("bottle", "ash", ["0.375 l", "0.75 l", "1.5 l"]),
    ):
        kept[name] = pd.qcut(frame[source], len(labels), labels=labels).astype(str)
    kept = _with_history(kept, _visits(len(kept)), "proline")
    numbers = [*numbers, "recent"]
    build = _pipeline(
        numbers,
        ["maker", "bottle"],
        lambda: RandomForestClassifier(60, random_state=1),
        lambda: TargetEncoder(random_state=1),
    )
    return World("wine", kept, target, numbers, ["maker", "bottle"], build)


def _digits() -> World:
    """Ten classes and a small neural network; the ink in regions of each image."""
    data = load_digits()
    rows = np.random.default_rng(3).permutation(len(data.images))
    images, target = data.images[rows], pd.Series(data.target[rows]).map("digit {}".format)
    regions = {
        "ink": images.sum(axis=(1, 2)),
        "top": images[:, :3].sum(axis=(1, 2)),
        "bottom": images[:, 5:].sum(axis=(1, 2)),
        "left": images[:, :, :3].sum(axis=(1, 2)),
        "centre": images[:, 3:5, 3:5].mean(axis=(1, 2)).round(2),
        "slant": (images[:, :4, 4:].sum(axis=(1, 2)) - images[:, 4:, :4].sum(axis=(1, 2))) / 16,
    }
    frame = pd.DataFrame(regions)
    for name, source, labels in (
        ("writer", images[:, 2, 5], ["ada", "Björn", "chloe", "dana"]),
        ("pen", images[:, 6, 3] + images[:, 1, 2], ["ball", "felt tip", "nib"]),
    ):
        rank = pd.Series(source).rank(method="first")
        frame[name] = pd.qcut(rank, len(labels), labels=labels).astype(str)
    frame = _with_history(frame, _visits(len(frame)), "top")
    numbers = [*regions, "recent"]
    build = _pipeline(
        numbers,
        ["writer", "pen"],
        lambda: MLPClassifier((16,), max_iter=600, random_state=1),
        _one_hot,
    )
    return World("digits", frame, target, numbers, ["writer", "pen"], build)


def _visits(rows: int) -> pd.Series:
    begin = pd.Timestamp("2024-01-03T04:00", tz="UTC")
    return pd.Series(begin + pd.to_timedelta(np.arange(rows) * 211, unit="min"))


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
