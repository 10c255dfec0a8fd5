"""The feature contract: inferred from the training frame, with units, sources and keys added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from msgspec import structs

from gnomon import Contract, infer_contract

__all__ = ["contract"]

SCHEDULE = "the airline's schedule"
STATION = "the weather station at the origin, for the hour of departure"
REGISTER = "the aircraft register, by tail number"

KNOWN: dict[str, dict[str, Any]] = {
    "flight_id": {
        "description": "local date, carrier, flight number and origin",
        "source": SCHEDULE,
    },
    "time_hour": {
        "description": "scheduled departure, cut to the hour, in UTC",
        "source": SCHEDULE,
    },
    "minute": {"unit": "minute", "description": "of scheduled departure", "source": SCHEDULE},
    "carrier": {"description": "two-letter airline code", "source": SCHEDULE},
    "origin": {"description": "airport code", "source": SCHEDULE, "outside": "error"},
    "dest": {"description": "airport code", "source": SCHEDULE},
    "distance": {"unit": "mile", "description": "origin to destination", "source": SCHEDULE},
    "temp": {"unit": "°F", "source": STATION},
    "humid": {"unit": "% relative humidity", "source": STATION},
    "wind_dir": {"unit": "degree", "description": "where it blows from", "source": STATION},
    "wind_speed": {"unit": "mile per hour", "source": STATION},
    "precip": {"unit": "inch", "description": "rain and snow in the hour", "source": STATION},
    "pressure": {"unit": "millibar", "description": "at sea level", "source": STATION},
    "visib": {"unit": "mile", "description": "visibility", "source": STATION},
    "plane_year": {"unit": "year", "description": "when it was built", "source": REGISTER},
    "plane_seats": {"unit": "seat", "source": REGISTER},
}


def contract(frame: pd.DataFrame, classes: Sequence[Any]) -> Contract:
    """The contract of every model of this deployment.

    Types, null values, domains and ranges are those of the training frame. Units, sources and
    what a value outside its domain means are :data:`KNOWN` to people only. An unknown origin is
    refused: this deployment serves three airports.

    Args:
        frame: the features of the training rows.
        classes: the labels, as the classifier orders them.
    """
    inferred = infer_contract(
        frame,
        task="classification",
        classes=classes,
        entity_key=["flight_id"],
        event_time="time_hour",
    )
    features = [structs.replace(feature, **KNOWN[feature.name]) for feature in inferred.features]
    return structs.replace(inferred, features=tuple(features))
