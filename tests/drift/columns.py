"""Columns as training froze them, made the way packing makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from gnomon.artifact.profile import profile
from gnomon.contract import infer_contract
from gnomon.drift.bins import Bins
from gnomon.drift.counted_rows import CountedRows
from gnomon.drift.drift_counts import DriftBatch, DriftCounts
from gnomon.drift.metrics import BinnedSides


def frozen(values: Any) -> Bins:
    """The bins of one training column."""
    frame = pd.DataFrame({"x": values})
    model: BaseEstimator = make_pipeline(FunctionTransformer(_counted), DummyRegressor())
    model.fit(frame, np.arange(len(frame)))
    contract = infer_contract(frame, task="regression")
    row = profile(model, frame, contract).to_pylist()[0]
    feature = contract.features[0]
    return Bins.read(row, feature.domain, is_time=feature.type == "timestamp")


def _counted(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"one": np.ones(len(frame))})


def counted(bins: Bins, values: Any, entities: Any = None) -> CountedRows:
    """The count of later values."""
    counts = DriftCounts([bins])
    counts.add(batch(bins, values, entities=entities))
    return next(iter(counts)).total()


def batch(
    bins: Bins,
    values: Any,
    row_times: Sequence[float] | None = None,
    segments: Sequence[str] | None = None,
    *,
    first: int = 0,
    entities: Any = None,
) -> DriftBatch:
    """Rows named ``r0/0``, ``r1/0`` ..., a minute after each other if no row_times are given."""
    column = values if isinstance(values, pa.Array) else pa.array(values, from_pandas=True)
    at = np.arange(first, first + len(column)) * 60.0 if row_times is None else np.array(row_times)
    names = [f"r{i}/0" for i in range(first, first + len(column))]
    owners = None if entities is None else pa.array([f"e{entity}" for entity in entities])
    return DriftBatch({(bins.kind, bins.name): column}, at.astype(float), names, segments, owners)


def against(bins: Bins, values: Any, entities: Any = None) -> BinnedSides:
    """Training against later values."""
    return BinnedSides.from_training(bins, counted(bins, values, entities))
