"""Artifacts of every kind of input, packed as a team would, all of one model name."""

PREPROCESSING = '''
"""The user's code: numbers out of a frame with a column of every kind."""
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


def numbers(X):
    """Each column as a number, whatever it holds; refuses a column of another type."""
    assert X["i8"].dtype == "int8", X["i8"].dtype
    assert X["f32"].dtype == "float32"
    assert all(cell.dtype == "float32" and cell.shape == (4,) for cell in X["pixels"])
    assert all(isinstance(cell, list) for cell in X["tags"])
    assert X["clock"].dtype == "datetime64[us]"
    assert str(X["arrow"].dtype) == "int32[pyarrow]"
    return np.column_stack([
        X["i8"].to_numpy(), X["f32"].to_numpy(),
        X["level"].astype("float64").fillna(-1).to_numpy(),
        X["band"].cat.codes.to_numpy(),
        X["arrow"].astype("float64").fillna(0).to_numpy(),
        [value.toordinal() for value in X["day"]],
        [float(value) for value in X["price"]],
        np.stack(list(X["pixels"])).sum(axis=1),
        [len(cell) for cell in X["tags"]],
        X["clock"].dt.hour.to_numpy(),
    ]).astype("float64")


def text_columns(X):
    """An index of pandas, which the ColumnTransformer keeps."""
    return X.select_dtypes(include=["string", "object"]).columns


class Centred(TransformerMixin, BaseEstimator):
    """Keeps the columns and the means of pandas as they are."""

    def fit(self, X, y=None):
        self.columns_, self.means_ = X.columns, X.mean()
        return self

    def transform(self, X):
        return (X[self.columns_] - self.means_).fillna(0.0)
'''

PACK = '''
import datetime as dt
from decimal import Decimal
import numpy as np, pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
import gnomon
from preprocessing import Centred, numbers, text_columns

N = 48
n = np.arange(N)
random = np.random.default_rng(0)
QUIET = {"leakage": "off", "seeds": {"model": 0}}


def pack(kind, model, *given, **options):
    """Pack a model of one kind of input."""
    gnomon.pack("any", model, *given, version=kind, **QUIET, **options)


ours = ["prediction", "probability_0", "error", "row", "rows", "request_id", "client_id", "arrived",
        "_position", "moment", "outcome", "scale/prediction", "input/row", "difference", "flipped"]
names = pd.DataFrame({name: random.normal(size=N) for name in ours})
label = (names.sum(axis=1) > 0).astype(int)
names["customer"] = [f"c{i:02d}" for i in n]

steps = ColumnTransformer([("scale", StandardScaler(), ours)])
model = make_pipeline(steps, LogisticRegression()).fit(names[ours], label)
pack("names", model, names, label, carry=("customer",), entity_key=("customer",))

types = pd.DataFrame({
    "i8": n.astype("int8"),
    "f32": np.linspace(0, 1, N, dtype="float32"),
    "level": pd.Categorical([int(i % 3) if i else None for i in n], categories=[0, 1, 2]),
    "band": pd.cut(pd.Series(n, dtype="float64"), 4),
    "arrow": pd.array([int(i) if i % 5 else None for i in n], dtype="int32[pyarrow]"),
    "day": pd.Series([dt.date(2020, 1, 1) + dt.timedelta(int(i)) for i in n], dtype=object),
    "price": pd.Series([Decimal(int(i)) / 4 for i in n], dtype=object),
    "pixels": pd.Series([np.arange(4, dtype="float32") + np.float32(i) for i in n], dtype=object),
    "tags": pd.Series([["t"] * (i % 4) for i in n], dtype=object),
    "clock": pd.date_range("2020-02-28", periods=N, freq="h").as_unit("us"),
})
more = pd.DataFrame({"customer": [f"c{i:02d}" for i in n],
                     "at": pd.date_range("2024-01-01", periods=N, freq="h", tz="UTC")})

model = make_pipeline(FunctionTransformer(numbers), LinearRegression()).fit(types, n)
pack("types", model, types, n, carry=more, timezone="Europe/Berlin",
     entity_key=("customer",), event_time="at")

both = names[["error", "row"]]
pack("values", StandardScaler().fit(both), both)

texts = pd.Series([f"word{i % 7} and word{i % 3}" for i in n], name="body")
pack("series", make_pipeline(CountVectorizer(), LinearRegression()).fit(texts, n), texts, n)

records = [{"city": f"c{i % 5}", "size": float(i)} | ({"old": True} if i % 2 else {}) for i in n]
pack("records", make_pipeline(DictVectorizer(), LinearRegression()).fit(records, n), records, n)

matrix = np.column_stack([n, n % 5, n % 3]).astype("float32")
model = make_pipeline(StandardScaler(), LinearRegression()).fit(matrix, n)
pack("array", model, matrix, n, feature_names=("width", "height", "depth"))

cities = [f"c{i % 5}" if i % 4 else pd.NA for i in n]
nulls = pd.DataFrame({
    "city": pd.array(cities, dtype="string"),
    "old_city": pd.array(cities, dtype="string[python]"),
    "code": pd.Series(cities[::-1], dtype=object),
    "age": [float(i) if i % 3 else None for i in n],
})
filled = SimpleImputer(missing_values=pd.NA, strategy="constant", fill_value="none")
steps = ColumnTransformer([
    ("texts", make_pipeline(filled, OneHotEncoder(handle_unknown="ignore")), text_columns),
    ("age", Centred(), ["age"]),
])
pack("nulls", make_pipeline(steps, LinearRegression()).fit(nulls, n), nulls, n)
'''
