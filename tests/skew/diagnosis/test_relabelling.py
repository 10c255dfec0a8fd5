"""A model whose one-hot columns are in another order is found by its answers alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from gnomon.contract import Contract, Feature, Output
from gnomon.policy import Policy
from gnomon.skew.diagnosis.candidates import Candidate
from gnomon.skew.diagnosis.relabelling import relabellings

RNG = np.random.default_rng(8)
LABELS = ["AA", "B6", "DL", "UA"]
CARRIER = RNG.choice(LABELS, 400)
MILES = RNG.normal(0, 1, 400)
LATE = RNG.random(400) < np.array(
    [{"AA": 0.1, "B6": 0.8, "DL": 0.3, "UA": 0.6}[c] for c in CARRIER]
)
CONTRACT = Contract(
    task="classifier",
    features=(
        Feature(name="carrier", type="string", dtype="object", domain=tuple(LABELS)),
        Feature(name="miles", type="float", dtype="float64"),
    ),
    outputs=(Output(name="probability", type="float"),),
)
ENCODER = OneHotEncoder(sparse_output=False).fit(CARRIER.reshape(-1, 1))


def _encoded(rows: pa.RecordBatch, order: list[int]) -> npt.NDArray[np.float64]:
    frame: pd.DataFrame = rows.to_pandas()
    columns = ENCODER.transform(frame[["carrier"]].to_numpy())[:, order]
    return np.c_[columns, frame["miles"].to_numpy()]


ROWS = pa.RecordBatch.from_pydict({"carrier": CARRIER.tolist(), "miles": MILES})
MODEL = LogisticRegression().fit(_encoded(ROWS, [0, 1, 2, 3]), LATE)


def answers(rows: pa.RecordBatch, order: list[int]) -> pa.Table:
    """What the model says when its encoder's columns come in an order."""
    return pa.table({"probability": MODEL.predict_proba(_encoded(rows, order))[:, 1]})


def found(order: list[int]) -> list[Candidate]:
    """What explains the answers of a model with columns in this order."""
    right = answers(ROWS, [0, 1, 2, 3])
    rules = Policy().rules(right.schema, outputs={}, same=True)
    return list(relabellings(ROWS, right, rules, CONTRACT, lambda rows: answers(rows, order)))


def test_columns_in_another_order_are_labels_that_are_taken_for_others() -> None:
    """Three are exchanged in a circle, one stays; with the labels exchanged, all answers agree."""
    (candidate,) = found([1, 2, 0, 3])
    assert candidate.cause == "category code order"
    assert candidate.features == ("carrier",)
    assert "taken for other labels" in candidate.finding
    again = answers(candidate.rows, [1, 2, 0, 3])
    assert np.allclose(again.column(0).to_numpy(), answers(ROWS, [0, 1, 2, 3]).column(0).to_numpy())


def test_columns_in_their_order_are_left_alone() -> None:
    """Each label is taken for itself."""
    assert found([0, 1, 2, 3]) == []
