"""The service a careful engineer writes by hand: FastAPI, pydantic, one frame a request.

``/predict`` is a plain ``def``, which FastAPI runs in its thread pool, so that health checks are
answered while a model computes. ``/predict-on-the-loop`` is the same as ``async def``.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.contenders.model import answers, frame

app = FastAPI()


class Flight(BaseModel):
    """A request to the flights pipelines."""

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


class Document(BaseModel):
    """A request to the text classifier."""

    text: str


Record = Document if os.environ["MODEL"] == "texts" else Flight


class Answer(BaseModel):
    """The label, and the probability of every class."""

    prediction: str
    probabilities: dict[str, float]


@app.post("/predict", response_model=Answer)
def predict(record: Record) -> Any:  # type: ignore[valid-type]
    """The answer for one record."""
    return answers(frame([record.model_dump()]))[0]


@app.post("/predict-on-the-loop", response_model=Answer)
async def predict_on_the_loop(record: Record) -> Any:  # type: ignore[valid-type]
    """The same on the event loop: one request after another."""
    return answers(frame([record.model_dump()]))[0]
