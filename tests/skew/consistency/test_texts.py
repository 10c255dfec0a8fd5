"""Steps on text and images: the files that they read are packed, and their outputs are compared."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnomon.artifact import Artifact, inspect
from gnomon.report import Report
from gnomon.settings import Settings
from gnomon.skew.table_comparison import compare_offline
from tests.packing import Pack
from tests.shadow.trips import Trips, write

ROWS = 120

FILES = """
import importlib, pathlib
folder = pathlib.Path("reading")
folder.mkdir(exist_ok=True)
(folder / "__init__.py").write_text(pathlib.Path("preprocessing.py").read_text())
(folder / "stop_words.txt").write_text("the\\nand\\n")
(folder / "size.json").write_text('{"side": 2, "mean": 100.0, "scale": 50.0}')
importlib.invalidate_caches()
"""
"""A package of the user's own, with the files that its steps read when they run."""

TEXTS = '''
import pathlib
import re

LOWER = True

def tokens(text):
    """Words of a text without the stop words of the file beside this module."""
    file = pathlib.Path(__file__).with_name("stop_words.txt")
    stop = set(file.read_text().split())
    text = text.lower() if LOWER else text
    return [word for word in re.findall(r"[A-Za-z]+", text) if word not in stop]
'''

TEXTS_SCRIPT = (
    FILES
    + """
import sys
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
import gnomon, reading

words = ["Engine", "wing", "the", "and", "delay", "Storm", "gate", "crew"]
frame = pd.DataFrame({
    "trip": [f"t{i:03d}" for i in range(200)],
    "text": [" ".join(words[(i * k + k) % 8] for k in (1, 3, 5, 7)) for i in range(200)],
})
served, reading.LOWER = reading.LOWER, True
pipeline = Pipeline([
    ("words", ColumnTransformer([
        ("text", TfidfVectorizer(
            tokenizer=reading.tokens, token_pattern=None, lowercase=False
        ), "text"),
    ], sparse_threshold=0)),
    ("model", LogisticRegression()),
]).fit(frame, frame["text"].str.contains("Engine").map({True: "yes", False: "no"}))
reading.LOWER = served
print(gnomon.pack(sys.argv[1], pipeline, frame, entity_key=("trip",)).tag)
"""
)

IMAGES = '''
import base64
import json
import pathlib

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

class Pixels(TransformerMixin, BaseEstimator):
    """Base64 of 4 x 4 grey bytes, made smaller by block means and normalised by a file."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        size = json.loads(pathlib.Path(__file__).with_name("size.json").read_text())
        side = size["side"]
        raw = [np.frombuffer(base64.b64decode(text), dtype=np.uint8) for text in X["image"]]
        blocks = np.array(raw, dtype=np.float64).reshape(-1, side, 4 // side, side, 4 // side)
        small = blocks.mean(axis=(2, 4))
        return (small.reshape(len(X), -1) - size["mean"]) / size["scale"]

    def get_feature_names_out(self, names=None):
        return np.array([f"pixel_{i}" for i in range(4)], dtype=object)
'''

IMAGES_SCRIPT = (
    FILES
    + """
import base64, sys
import numpy as np, pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
import gnomon, reading

grey = np.random.default_rng(5).integers(0, 256, (200, 16), dtype=np.uint8)
frame = pd.DataFrame({
    "trip": [f"t{i:03d}" for i in range(200)],
    "image": [base64.b64encode(one.tobytes()).decode() for one in grey],
})
pipeline = Pipeline([
    ("pixels", ColumnTransformer([("image", reading.Pixels(), ["image"])])),
    ("model", LogisticRegression()),
]).fit(frame, np.where(grey[:, :2].mean(axis=1) > 120, "light", "dark"))
print(gnomon.pack(sys.argv[1], pipeline, frame, entity_key=("trip",)).tag)
"""
)


def texts() -> list[dict[str, Any]]:
    """Texts of which every second has capital letters."""
    words = ("engine", "wing", "the", "and", "delay", "storm", "gate", "crew")
    said = [" ".join(words[(i * k + k) % 8] for k in (1, 3, 5, 7)) for i in range(ROWS)]
    return [
        {"trip": f"r{i:03d}", "text": text.title() if i % 2 else text}
        for i, text in enumerate(said)
    ]


def images() -> list[dict[str, Any]]:
    """Small grey images as base64."""
    grey = np.random.default_rng(6).integers(0, 256, (ROWS, 16), dtype=np.uint8)
    coded = (base64.b64encode(one.tobytes()).decode() for one in grey)
    return [{"trip": f"r{i:03d}", "image": text} for i, text in enumerate(coded)]


def compared(
    settings: Settings, trained: Artifact, served: Artifact, rows: list[dict[str, Any]], path: Path
) -> Report:
    """Compare answers of ``served`` in shadow with a table of predictions of ``trained``."""
    logged = Trips(settings, trained, rows).answer().shadow(served)
    table = write(logged.offline(), path)
    return compare_offline(logged.log, served, table, role="shadow", settings=settings)


@pytest.mark.slow
def test_a_text_step_that_changed_is_named(settings: Settings, pack: Pack, tmp_path: Path) -> None:
    """Serving code keeps capitals: the tf-idf step differs, and agrees for lower-case text.

    The word list of the step is in the artifact.
    """
    trained = inspect(pack(TEXTS, "texts", TEXTS_SCRIPT))
    (carried,) = Path(trained.path).rglob("stop_words.txt")
    assert carried.read_text() == "the\nand\n"
    served = inspect(pack(TEXTS.replace("LOWER = True", "LOWER = False"), "texts", TEXTS_SCRIPT))
    report = compared(settings, trained, served, texts(), tmp_path / "offline.parquet")
    assert report.diverged
    assert report.walk is not None
    assert report.walk.first is not None
    assert report.walk.first.startswith("words/text/")
    features = {c.name: c.diverged for c in report.walk.columns if c.kind == "feature"}
    assert features == {"text": 0}
    differing = [c.name for c in report.walk.columns if c.kind == "step" and c.diverged]
    assert differing
    assert all(name.startswith("words/text/") for name in differing)
    assert report.diagnosis is not None
    assert (report.diagnosis.column, report.diagnosis.cause) == ("text", "category form")


@pytest.mark.slow
def test_an_image_step_that_changed_is_named(
    settings: Settings, pack: Pack, tmp_path: Path
) -> None:
    """Serving code resizes images by picking pixels: the results differ, and the received image
    does not. No named cause explains it.
    """
    trained = inspect(pack(IMAGES, "images", IMAGES_SCRIPT))
    picking = IMAGES.replace("blocks.mean(axis=(2, 4))", "blocks[:, :, 0, :, 0]")
    served = inspect(pack(picking, "images", IMAGES_SCRIPT))
    report = compared(settings, trained, served, images(), tmp_path / "offline.parquet")
    assert report.diverged
    assert report.walk is not None
    assert report.walk.first is not None
    assert report.walk.first.startswith("pixels/image/pixel_")
    features = {c.name: c.diverged for c in report.walk.columns if c.kind == "feature"}
    assert features == {"image": 0}
    assert report.diagnosis is not None
    assert (report.diagnosis.step, report.diagnosis.cause) == ("pixels/image", "unknown")
