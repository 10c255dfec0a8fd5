"""A contract of every type of feature, packed once and served once for all who only ask."""

SCRIPT = """
import sys
import numpy as np, pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
import gnomon
from gnomon.contract import infer_contract
from preprocessing import Times

count = 64
x = np.arange(1.0, count + 1.0)
frame = pd.DataFrame({
    "x": x,
    "id": [f"e{i:03d}" for i in range(count)],
    "seats": np.arange(count),
    "gust": np.where(x % 5 == 0, np.nan, x),
    "origin": ["EWR", "JFK"] * (count // 2),
    "at": pd.date_range("2013-04-01", periods=count, freq="h", tz="UTC"),
    "weekend": x % 2 == 0,
})
pipeline = make_pipeline(Times(), LinearRegression(fit_intercept=False)).fit(frame, x)
pipeline[-1].coef_ = np.array([1.0])
contract = infer_contract(frame, task="regression", entity_key=("id",), event_time="at")
print(gnomon.pack(sys.argv[1], pipeline, frame, x, contract=contract).tag)
"""
"""Packs a model that says x, whose requests hold one feature of every type."""

GOOD = {
    "x": 2.5,
    "id": "a",
    "seats": 149,
    "gust": None,
    "origin": "EWR",
    "at": "2013-04-01T05:00:00Z",
    "weekend": True,
}
"""A request that keeps to its contract."""
