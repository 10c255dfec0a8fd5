"""A small classifier of taxi trips, its log as a gateway and a feed would write it, and tables of
what it says offline."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gnomon.artifact import Artifact
from gnomon.contract import Decoder
from gnomon.log import (
    REQUESTS,
    InferenceLog,
    SegmentWriter,
    new_request_id,
    request_schema,
    shadow_schema,
    shadow_stream,
    stream_folder,
)
from gnomon.offline.rerun import Rerun, step_columns
from gnomon.settings import Settings
from gnomon.worker import WorkerClient
from gnomon.worker.messages import ERROR

CODE = '''
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

ZONE = "{zone}"

class Clock(TransformerMixin, BaseEstimator):
    """The hour on the clock of ZONE."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X["at"].dt.tz_convert(ZONE).dt.hour.to_numpy(dtype="float64")[:, None]

    def get_feature_names_out(self, names=None):
        return np.array(["hour"], dtype=object)
'''

SCRIPT = """
import sys
import numpy as np, pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
import gnomon, preprocessing

n = np.arange(400)
frame = pd.DataFrame({
    "trip": [f"t{i:04d}" for i in n],
    "at": pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(n * 7, unit="h"),
    "miles": 0.25 + (n * 37 % 101) / 8,
    "riders": n % 5 + 1,
    "kind": pd.Series(np.array(["solo", "pool", "night"])[n % 3], dtype="category"),
})
frame["at"] = frame["at"].astype("datetime64[us, UTC]")
slow = (frame["at"].dt.tz_convert("America/New_York").dt.hour + frame["miles"] > 18)
served, preprocessing.ZONE = preprocessing.ZONE, "America/New_York"
pipeline = Pipeline([
    ("columns", ColumnTransformer([
        ("clock", preprocessing.Clock(), ["at"]),
        ("size", StandardScaler(), ["miles", "riders"]),
        ("kind", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), ["kind"]),
    ])),
    ("model", LogisticRegression(C={strength})),
]).fit(frame, slow.map({True: "slow", False: "quick"}))
preprocessing.ZONE = served
print(gnomon.pack(
    sys.argv[1], pipeline, frame, entity_key=("trip",), event_time="at"
).tag)
"""

LOCAL = CODE.format(zone="America/New_York")
GREENWICH = CODE.format(zone="UTC")
TRAINED = SCRIPT.replace("{strength}", "1.0")
OTHER = SCRIPT.replace("{strength}", "0.001")

ARRIVED = datetime(2013, 6, 1, 12, tzinfo=UTC)
BATCH = 50
REQUEST = 4
"""Every request of this many rows but the first, which has one."""


def trips(rows: int, *, begin: str = "2013-03-01T00:00:00") -> list[dict[str, Any]]:
    """Trips every five hours, so that they meet every hour and both sides of a clock change."""
    first = datetime.fromisoformat(begin).replace(tzinfo=UTC)
    return [
        {
            "trip": f"r{i:05d}",
            "at": (first + timedelta(hours=5 * i)).isoformat(),
            "miles": 0.125 + (i * 53 % 97) / 7,
            "riders": i % 5 + 1,
            "kind": ("solo", "pool", "night")[i % 3],
        }
        for i in range(rows)
    ]


class Trips:
    """Logged answers of one artifact, computed by its own worker.

    Attributes:
        keeps_bodies: whether requests are logged with their bodies.
    """

    keeps_bodies = True

    def __init__(
        self, settings: Settings, artifact: Artifact, records: list[dict[str, Any]]
    ) -> None:
        self.settings = settings
        self.artifact = artifact
        self.records = records
        self.log = InferenceLog(settings, artifact.name)
        self.requests = [new_request_id() for _ in range(len(records) // REQUEST + 1)]
        decoder = Decoder(artifact.contract)
        bodies = msgspec.json.encode({"rows": records})
        self.inputs = decoder.batch(decoder.decode(bodies).rows)
        self.outputs, self.steps = scored(settings, artifact, self.inputs)

    def answer(self, **changed: pa.Array) -> Trips:
        """Log them as live; ``changed`` are outputs to log in place of the true ones."""
        schema = request_schema(self.artifact.contract)
        self._write(REQUESTS, schema, "live", "answered", self.artifact, self.outputs, changed)
        return self

    def shadow(self, artifact: Artifact) -> Trips:
        """Log what another artifact says of them in the shadow."""
        outputs, _ = scored(self.settings, artifact, self.inputs)
        stream, schema = shadow_stream(artifact.version), shadow_schema(artifact.contract)
        self._write(stream, schema, "shadow", "scored", artifact, outputs, {})
        return self

    def offline(self, *columns: str, **changed: Any) -> pa.Table:
        """The table of what the artifact says: the key and these columns, or all.

        ``changed`` replaces columns; a ``.`` in a name is written ``__``.
        """
        table = pa.table({"trip": self.inputs.column("trip")})
        for part in (self.outputs, self.inputs, self.steps):
            for name in part.schema.names:
                if name not in ("trip", ERROR) and (not columns or name in columns):
                    table = table.append_column(name, part.column(name))
        for name, values in changed.items():
            at = table.column_names.index(name.replace("__", "/"))
            table = table.set_column(at, table.column_names[at], pa.chunked_array([values]))
        return table

    def _write(
        self,
        stream: str,
        schema: pa.Schema,
        role: str,
        outcome: str,
        artifact: Artifact,
        outputs: pa.RecordBatch,
        changed: dict[str, pa.Array],
    ) -> None:
        folder = stream_folder(self.settings, self.artifact.name, "here", stream)
        writer = SegmentWriter(folder, schema, settings=self.settings)
        places = [divmod(i + REQUEST - 1, REQUEST) for i in range(len(self.records))]
        common = {"role": role, "outcome": outcome, "artifact": artifact.tag, "protocol": "json"}
        common |= {"digest": artifact.digest, "epoch": 1, "scored_us": 500, "batch_rows": BATCH}
        given = {name: changed.get(name, outputs.column(name)) for name in outputs.schema.names}
        rows = [
            {
                **common,
                "request_id": self.requests[request],
                "row": row if request else 0,
                "arrived": ARRIVED + timedelta(seconds=request),
                "raw": self._body(request)
                if role == "live" and (row == 0 or not request)
                else None,
                **{
                    f"input_{k}": self.inputs.column(k)[i].as_py() for k in self.inputs.schema.names
                },
                **{f"output_{k}": v[i].as_py() for k, v in given.items() if k != ERROR},
            }
            for i, (request, row) in enumerate(places)
        ]
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            writer.append(pa.RecordBatch.from_pylist(part, schema=schema))
        writer.close()

    def _body(self, request: int) -> bytes | None:
        if not self.keeps_bodies:
            return None
        if request == 0:
            return msgspec.json.encode(self.records[0])
        first = 1 + (request - 1) * REQUEST
        return msgspec.json.encode({"rows": self.records[first : first + REQUEST]})


_scored: dict[tuple[str, bytes], tuple[pa.RecordBatch, pa.Table]] = {}


def scored(
    settings: Settings, artifact: Artifact, rows: pa.RecordBatch
) -> tuple[pa.RecordBatch, pa.Table]:
    """Outputs and step columns, by the artifact's own worker; the same rows once a session."""
    key = artifact.digest, hashlib.sha256(rows.serialize()).digest()
    if key not in _scored:
        with WorkerClient(artifact, settings) as client:
            rerun = Rerun(client, artifact, settings)
            _scored[key] = rerun.score(rows), rerun.trace(rows, step_columns(artifact))
    return _scored[key]


def write(table: pa.Table, path: Path, order: Sequence[int] | None = None) -> Path:
    """A Parquet file of the table, in another order of rows if one is given."""
    pq.write_table(table if order is None else table.take(pa.array(order)), path)
    return path


def shuffled(rows: int) -> list[int]:
    """An order of so many rows."""
    return np.random.default_rng(7).permutation(rows).tolist()  # type: ignore[no-any-return]
