"""Example rows for a contract: for the documentation, the index page and a first request."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from gnomon.contract.contract import Contract
from gnomon.contract.feature import Feature, Scalar
from gnomon.contract.time_zones import zone

__all__ = ["example_row"]

Example: TypeAlias = "Scalar | list[Scalar] | None"

NOON = datetime(2024, 6, 3, 12, 0)
_ITEMS: dict[str, Scalar] = {"integer": 1, "float": 0.5, "boolean": False, "string": "text"}


def example_row(contract: Contract) -> dict[str, Example]:
    """Return a record that the contract accepts: the middle of a range, the first of a domain."""
    return {feature.name: _example(feature) for feature in contract.features}


def _example(feature: Feature) -> Example:
    if feature.default is not None:
        return feature.default
    if feature.domain:
        return feature.domain[0]
    match feature.type:
        case "integer":
            return round(_middle(feature))
        case "float":
            return _rounded(feature)
        case "boolean":
            return False
        case "timestamp":
            return _noon(feature.timezone)
        case "date":
            return NOON.date().isoformat()
        case "decimal":
            return f"{_middle(feature):.{feature.scale or 0}f}"
        case "list":
            return [_ITEMS[feature.items or "float"]] * (feature.length or 3)
        case _:
            return None if feature.nullable else "text"


def _middle(feature: Feature) -> float:
    low, high = feature.minimum, feature.maximum
    if low is None or high is None:
        return low if low is not None else high if high is not None else 0.0
    return low + (high - low) / 2


def _rounded(feature: Feature) -> float:
    """Return the middle of the range, rounded to as few digits as still lie within it."""
    middle = _middle(feature)
    low = middle if feature.minimum is None else feature.minimum
    high = middle if feature.maximum is None else feature.maximum
    short = (float(f"{middle:.{digits}g}") for digits in range(3, 17))
    return next((value for value in short if low <= value <= high), middle)


def _noon(name: str | None) -> str:
    """Return noon in ISO 8601, with the zone's offset at that instant."""
    return NOON.replace(tzinfo=zone(name or "UTC")).isoformat()
