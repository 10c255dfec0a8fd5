"""Values at the limits of their types: which side is at fault when a pipeline fails on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow.compute as pc
import pytest

from gnomon.log import InferenceLog
from gnomon.shadow.accounts.balance import balance
from gnomon.testing import Server, serving
from tests.packing import install, write_service

CODE = '''
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

class Strict(TransformerMixin, BaseEstimator):
    """Takes instants that nanoseconds hold, divides by z - 10.5, and is exact about n."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        if len(X) and (X["n"].abs() > 2**53).any():
            raise OverflowError("n")
        made = X[["x", "z"]].assign(hour=X["at"].dt.as_unit("ns").dt.hour, n=X["n"])
        with np.errstate(divide="ignore"):
            return made.assign(z=1.0 / (X["z"] - 10.5))

    def get_feature_names_out(self, names=None):
        return ["x", "z", "hour", "n"]
'''

SCRIPT = """
import sys
import numpy as np, pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
import gnomon
from preprocessing import Strict

x = np.arange(1.0, 65.0)
frame = pd.DataFrame({
    "x": x, "z": x, "n": np.arange(64),
    "at": pd.date_range("2013-04-01", periods=64, freq="h", tz="UTC"),
})
pipeline = make_pipeline(Strict(), RandomForestRegressor(n_estimators=3, random_state=0))
print(gnomon.pack(sys.argv[1], pipeline.fit(frame, x), frame, x).tag)
"""

GOOD: dict[str, Any] = {"x": 1.0, "z": 1.0, "n": 1, "at": "2013-04-01T00:00:00Z"}


@pytest.fixture(scope="module")
def forest(
    packed_once: Callable[[str, str, str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Serves a forest, which computes in 32-bit floats."""
    place = tmp_path_factory.mktemp("forest")
    install(packed_once(CODE, "toy", SCRIPT), place / "bentoml")
    folder = place / "deployment"
    write_service(folder)
    environment = {"BENTOML_HOME": str(place / "bentoml")}
    with serving(folder, place / "root", environment=environment) as server:
        yield server


def ask(server: Server, body: Any) -> httpx.Response:
    """One request."""
    return httpx.post(f"{server.url}/predict", json=body, timeout=30)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("x", 1e39, "a number within ±3.4028235e+38"),
        ("x", -1e300, "a number within ±3.4028235e+38"),
        ("n", 2**53 + 1, "an integer within ±9007199254740992"),
        ("at", "2300-01-01T00:00:00Z", "a timestamp in the years 1678 to 2261"),
    ],
)
def test_a_value_the_pipeline_cannot_take_is_refused_by_name(
    field: str, value: Any, expected: str, forest: Server
) -> None:
    """The contract's type can hold the value and the pipeline cannot: 422, with the field."""
    answer = ask(forest, {**GOOD, field: value})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "invalid_request")
    assert error["where"] == f"$.{field}"
    assert error["message"].startswith(f"expected {expected}")


@pytest.mark.parametrize("more", [{}, {"x": 1e39}])
def test_an_error_on_an_ordinary_value_is_a_server_error(
    more: dict[str, Any], forest: Server
) -> None:
    """An infinity computed from z = 10.5 is a 500 with the pipeline's reason, even next to a
    value that is refused by itself.
    """
    answer = ask(forest, {**GOOD, "z": 10.5, **more})
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "prediction_failed"
    assert "infinity" in answer.json()["error"]["message"]


def test_each_row_of_many_has_its_own_outcome(forest: Server) -> None:
    """Good rows are answered, whatever else is in the request; each bad row says what is wrong,
    and the accounts balance.
    """
    changes = [{}, {"x": 1e39}, {}, {"z": 10.5}, {"at": "1600-01-01T00:00:00Z"}]
    answer = ask(forest, {"rows": [{**GOOD, **change} for change in changes]})
    rows = answer.json()["rows"]
    assert answer.status_code == 200
    assert [row["error"]["where"] if "error" in row else "" for row in rows] == [
        "", "$.rows[1].x", "", None, "$.rows[4].at",
    ]  # fmt: skip
    assert {rows[0]["prediction"], rows[2]["prediction"]} == {rows[0]["prediction"]}
    log = InferenceLog(forest.settings, "toy")
    logged = log.table(columns=["request_id", "row", "outcome", "error_code", "error"])
    mine = logged.filter(pc.equal(logged["request_id"], answer.json()["request_id"])).sort_by("row")
    assert mine["outcome"].to_pylist() == ["answered", "rejected", "answered", "failed", "rejected"]
    assert mine["error"][1].as_py().endswith("got 1e+39 at $.rows[1].x")
    accounts = balance(log)
    assert accounts.balanced, accounts.explain()
