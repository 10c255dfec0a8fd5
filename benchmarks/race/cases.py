"""What is raced: three pipelines, their artifacts, the requests and the answers to them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from sklearn.pipeline import Pipeline

import gnomon
from benchmarks.race import texts
from models.data import FEATURES, flights, records
from models.pipelines import boosting, logistic
from preprocessing.contract import contract

__all__ = ["NAMES", "Answer", "Case", "prepare"]

NAMES = ("flights-logistic", "flights-boosting", "texts")

REQUESTS = 500
"""Different requests, sent over and over."""

Answer = tuple[str, dict[str, float]]
"""A label, and the probability of every class."""


@dataclass(frozen=True)
class Case:
    """A pipeline to serve.

    Attributes:
        name: one of :data:`NAMES`.
        model: the artifact name; it also says what a request looks like.
        live: the artifact of the pipeline.
        shadow: the artifact that sees the same requests.
        file: pipeline and column dtypes, for servers that know no artifacts.
        records: the requests.
        rows: the same as the frame that they were.
        answers: what the bare pipeline says to each.
    """

    name: str
    model: str
    live: str
    shadow: str
    file: Path
    records: Sequence[dict[str, Any]]
    rows: pd.DataFrame
    answers: Sequence[Answer]


def prepare(names: Sequence[str], folder: Path) -> list[Case]:
    """Train and pack what the cases need.

    Args:
        names: some of :data:`NAMES`.
        folder: for the model store, which this process uses from now on, and the pipelines' files.
    """
    os.environ["BENTOML_HOME"] = str(folder / "bentoml")
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    return [_MAKERS[name](name, folder) for name in names]


@cache
def trained(name: str) -> tuple[str, Pipeline]:
    """Pack an artifact of the flights model, trained on January to March."""
    known = flights(1, 2, 3).dropna(subset="outcome")
    features, outcome = known[list(FEATURES)], known["outcome"]
    pipeline = {"logistic": logistic, "boosting": boosting}[name]().fit(features, outcome)
    promised = contract(features, pipeline.classes_.tolist())
    packed = gnomon.pack("flights", pipeline, features, outcome, contract=promised, version=name)
    return packed.tag, pipeline


def _flights_case(name: str, folder: Path) -> Case:
    mine = name.removeprefix("flights-")
    (live, pipeline), (shadow, _) = (
        trained(mine),
        trained("boosting" if mine == "logistic" else "logistic"),
    )
    april = flights(4)[list(FEATURES)].iloc[: 20 * REQUESTS : 20].reset_index(drop=True)
    return _case(name, "flights", live, shadow, pipeline, april, list(records(april)), folder)


def _texts_case(name: str, folder: Path) -> Case:
    corpus = texts.corpus()
    unseen, known = corpus.iloc[:REQUESTS], corpus.iloc[REQUESTS:]
    tags, pipelines = [], []
    for make in (texts.tfidf, texts.hashing):
        pipeline = make().fit(known[["text"]], known["package"])
        packed = gnomon.pack(
            "texts", pipeline, known[["text"]], known["package"], version=make.__name__
        )
        tags.append(packed.tag)
        pipelines.append(pipeline)
    rows = unseen[["text"]]
    live, shadow = tags
    requests = [{"text": text} for text in rows["text"]]
    return _case(name, "texts", live, shadow, pipelines[0], rows, requests, folder)


def _case(
    name: str,
    model: str,
    live: str,
    shadow: str,
    pipeline: Pipeline,
    rows: pd.DataFrame,
    requests: list[dict[str, Any]],
    folder: Path,
) -> Case:
    file = folder / f"{name}.joblib"
    joblib.dump((pipeline, dict(rows.dtypes)), file)
    classes = pipeline.classes_.tolist()
    probabilities = pipeline.predict_proba(rows).tolist()
    labels = pipeline.predict(rows).tolist()
    answers = [
        (label, dict(zip(classes, row, strict=True)))
        for label, row in zip(labels, probabilities, strict=True)
    ]
    return Case(name, model, live, shadow, file, requests, rows, answers)


_MAKERS = {
    "flights-logistic": _flights_case,
    "flights-boosting": _flights_case,
    "texts": _texts_case,
}
