"""Healthy data: sets that come with scikit-learn, a copy of the California houses, and flights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets

from gnomon.leakage import LabelledTable

RNG = np.random.default_rng(11)
"""Every test finds it as it was at the start."""

BUNDLED = ("iris", "wine", "breast_cancer", "digits", "diabetes")


def bundled(name: str) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """A data set that comes with scikit-learn."""
    found = getattr(datasets, f"load_{name}")(as_frame=True)
    return found.data, found.target


def houses(rows: int = 20_000, seed: int = 3) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Skewed and capped like the California house prices, and ordered by place."""
    random = np.random.default_rng(seed)
    income = random.lognormal(1.2, 0.5, rows)
    frame = pd.DataFrame(
        {
            "income": income.round(4),
            "age": random.integers(1, 53, rows),
            "rooms": (2 + income * random.lognormal(0, 0.2, rows)).round(3),
            "people": random.lognormal(7, 0.7, rows).astype(int),
            "latitude": np.sort(random.uniform(32, 42, rows)).round(2),
        }
    )
    price = 0.4 * income + 0.05 * (42 - frame["latitude"]) + random.normal(0, 0.6, rows)
    return frame, price.clip(0.15, 5.0).round(3)


def flights(rows: int = 4_000, seed: int = 5) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Flights of three months, and whether each was late: by hour and weather, and by chance."""
    random = np.random.default_rng(seed)
    event = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(
        np.sort(random.integers(0, 90 * 24, rows)), unit="h"
    )
    wind = random.normal(10, 5, rows)
    late = wind + 0.3 * event.hour + random.normal(0, 8, rows) > 17
    frame = pd.DataFrame(
        {
            "flight": [f"F{n:06d}" for n in range(rows)],
            "event": event.astype("datetime64[us, UTC]"),
            "carrier": random.choice(["AA", "B6", "UA", "DL"], rows),
            "wind": np.where(random.random(rows) < 0.05, np.nan, wind.round(1)),
            "seats": random.choice([50, 149, 178, 200], rows),
        }
    )
    return frame, pd.Series(np.where(late, "late", "on_time"), name="outcome")


def flight_table(frame: pd.DataFrame, labels: Any, **known: Any) -> LabelledTable:
    """Flights with their event time and key."""
    return LabelledTable.of(
        frame, labels, event_time="event", entity_key=("flight",), known_at=known.get("known_at")
    )
