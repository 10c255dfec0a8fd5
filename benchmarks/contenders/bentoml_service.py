"""The service BentoML's own guide would have you write: one API method, a frame of one row."""

from __future__ import annotations

import os
from typing import Any

import bentoml
import pandas as pd

import gnomon


@bentoml.service(name="plain")
class Plain:
    """The pipeline behind a plain BentoML API."""

    def __init__(self) -> None:
        loaded = gnomon.load(os.environ["ARTIFACT"])
        self.pipeline = loaded.pipeline
        self.dtypes = {feature.name: feature.dtype for feature in loaded.artifact.contract.features}

    @bentoml.api
    def predict(self, flight: dict[str, Any]) -> dict[str, Any]:
        """The answer for one flight."""
        row = {**flight, "time_hour": pd.Timestamp(flight["time_hour"])}
        frame = pd.DataFrame([row]).astype(self.dtypes)
        probabilities = self.pipeline.predict_proba(frame)[0]
        classes = self.pipeline.classes_
        return {
            "prediction": str(classes[probabilities.argmax()]),
            "probabilities": dict(zip(classes, probabilities.tolist(), strict=True)),
        }
