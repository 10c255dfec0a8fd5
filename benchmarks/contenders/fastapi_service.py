"""The service a careful engineer writes by hand: FastAPI, pydantic, one frame a request."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

import gnomon

loaded = gnomon.load(os.environ["ARTIFACT"])
DTYPES = {feature.name: feature.dtype for feature in loaded.artifact.contract.features}
app = FastAPI()


class Flight(BaseModel):
    """One request."""

    flight_id: str
    time_hour: datetime
    minute: int
    carrier: str
    origin: str
    dest: str
    distance: int
    temp: float | None = None
    humid: float | None = None
    wind_dir: float | None = None
    wind_speed: float | None = None
    precip: float | None = None
    pressure: float | None = None
    visib: float | None = None
    plane_year: int | None = None
    plane_seats: int | None = None


@app.post("/predict")
def predict(flight: Flight) -> dict[str, Any]:
    """The answer for one flight."""
    frame = pd.DataFrame([flight.model_dump()]).astype(DTYPES)
    probabilities = loaded.pipeline.predict_proba(frame)[0]
    classes = loaded.pipeline.classes_
    return {
        "prediction": str(classes[probabilities.argmax()]),
        "probabilities": dict(zip(classes, probabilities.tolist(), strict=True)),
    }
