"""Check a file, or a range of the inference log, against a contract."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract.check.column_judge import Times
from gnomon.contract.check.contract_report import ContractReport, Refusal
from gnomon.contract.check.row_check import Check
from gnomon.contract.contract import Contract
from gnomon.contract.decoding import read_body
from gnomon.errors import InvalidRequest
from gnomon.log import InferenceLog, Snapshot
from gnomon.log.snapshot import Role
from gnomon.offline.offline_table import read_table
from gnomon.time_range import check_range

__all__ = ["check_file", "check_log"]

CHUNK_ROWS = 16_384
"""Rows held in memory at a time while the log is read."""

_COLUMNS = ["request_id", "row", "arrived", "outcome", "raw", "error_code", "error"]
_FIELD = re.compile(r""" at \$(?:\.rows\[\d+\])?(?:\.([A-Za-z_]\w*)|\["([^"]*)"\])""")


def check_file(
    path: Path, contract: Contract, *, profile: pa.Table | None = None
) -> ContractReport:
    """Check the rows of a CSV or Parquet file against a contract, as if each were a request.

    Values in CSV have no type: ``3`` is read as a number if the contract has a number there, and a
    timestamp keeps the offset it is written with.

    Args:
        path: ending in ``.csv``, ``.csv.gz``, ``.parquet`` or ``.pq``.
        contract: the contract to check the rows against.
        profile: the artifact's training profile, to check the units of numbers.

    Raises:
        TableError: the file cannot be read.
    """
    check = Check(contract, profile)
    table = read_table(path, _with_text_for_times(contract))
    check.add_frame(table, text=path.name.endswith((".csv", ".csv.gz")))
    return check.result()


def check_log(
    log: InferenceLog,
    contract: Contract,
    *,
    profile: pa.Table | None = None,
    artifact: str | None = None,
    role: Role | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    progress: Callable[[int], None] | None = None,
) -> ContractReport:
    """Check the requests of a range of the log against a contract, in one pass.

    Requests are read again from their bodies, for any artifact that answered and any outcome.

    Args:
        log: the log of the model.
        contract: the contract to check the requests against.
        profile: the artifact's training profile, to check the units of numbers.
        artifact: the tag to which ``role`` refers.
        role: only requests that reached the artifact while it was ``live``, or that it saw as a
            ``shadow``; all when not given.
        start: requests from this time on.
        end: requests before this time.
        progress: called with the number of rows read since the last call.

    Raises:
        InvalidRequest: the end is before the start.
        LogError: there is no log yet, or it cannot be read.
    """
    check_range(start, end)
    reading = _Reading(Check(contract, profile), progress)
    only = artifact if role == "live" else None
    with log.snapshot() as snapshot:
        requests = _shadowed_requests(snapshot, artifact, start, end) if role == "shadow" else None
        for batch in snapshot.scan(
            columns=_COLUMNS, role="live", artifact=only, start=start, end=end
        ):
            first = batch.filter(pc.equal(batch.column("row"), 0))
            if requests is not None:
                first = first.filter(pc.is_in(first.column("request_id"), requests))
            reading.add(first)
    return reading.result()


@dataclass(slots=True)
class _Refused:
    """Requests refused for one reason so far."""

    example: str
    first: datetime
    last: datetime
    requests: int = 0


@dataclass(slots=True)
class _Reading:
    """Bodies collected into larger batches for the check: a batch of the log may have one row."""

    check: Check
    progress: Callable[[int], None] | None
    records: list[Any] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    arrived: list[int] = field(default_factory=list)
    refused: dict[tuple[str, str | None], _Refused] = field(default_factory=dict)
    bodiless: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Add the first rows of requests, which have the bodies."""
        self._refusals(batch.filter(pc.equal(batch.column("outcome"), "rejected")))
        micros = batch.column("arrived").cast(pa.int64()).to_pylist()
        ids, bodies = (batch.column(name).to_pylist() for name in ("request_id", "raw"))
        for request, arrival, body in zip(ids, micros, bodies, strict=True):
            if body:
                self._body(request, arrival, body)
            else:
                self.bodiless += 1

    def result(self) -> ContractReport:
        """Return the result of the check."""
        self._flush()
        checked = self.check.result()
        unchecked = checked.unchecked
        if self.bodiless:
            reason = f"{self.bodiless:,} requests: the log does not hold their bodies"
            unchecked = (reason, *unchecked)
        return msgspec.structs.replace(
            checked, refusals=tuple(self._most_refused()), unchecked=unchecked
        )

    def _body(self, request: str, arrival: int, body: bytes) -> None:
        try:
            parsed = read_body(body, [f.name for f in self.check.contract.features])
        except InvalidRequest as error:
            self.check.add_unreadable(error, request, _times([arrival]))
            return
        if parsed.unknown:
            self.check.add_unknown(parsed.unknown, request, _times([arrival]))
        self.records += parsed.rows
        self.labels += [f"{request} {row}" for row in range(len(parsed.rows))]
        self.arrived += [arrival] * len(parsed.rows)
        if len(self.records) >= CHUNK_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self.records:
            labels = self.labels
            self.check.add_records(self.records, labels.__getitem__, _times(self.arrived))
            if self.progress:
                self.progress(len(self.records))
        self.records, self.labels, self.arrived = [], [], []

    def _refusals(self, rejected: pa.RecordBatch) -> None:
        names = ("error_code", "error", "arrived")
        for code, error, arrival in zip(
            *(rejected.column(name).to_pylist() for name in names), strict=True
        ):
            refused = self.refused.setdefault(
                (code, _feature(error)), _Refused(error, arrival, arrival)
            )
            refused.requests += 1
            refused.first, refused.last = min(refused.first, arrival), max(refused.last, arrival)

    def _most_refused(self) -> Iterator[Refusal]:
        frequent = sorted(self.refused.items(), key=lambda pair: -pair[1].requests)
        for (code, feature), refused in frequent:
            yield Refusal(
                code=code,
                feature=feature,
                requests=refused.requests,
                example=refused.example,
                first=refused.first,
                last=refused.last,
            )


def _feature(error: str) -> str | None:
    """Find the feature of an error: the last path in it, because the message may quote others."""
    paths = _FIELD.findall(error)
    name = (paths[-1][0] or paths[-1][1]) if paths else None
    return None if name == "rows" else name


def _shadowed_requests(
    snapshot: Snapshot, artifact: str | None, start: datetime | None, end: datetime | None
) -> pa.Array:
    """Return the requests of which a shadow has scored a row; each takes about 40 bytes."""
    ids = [
        batch.column("request_id").unique()
        for batch in snapshot.scan(
            columns=["request_id"], role="shadow", artifact=artifact, start=start, end=end
        )
    ]
    return pa.chunked_array(ids, pa.string()).unique()


def _times(micros: list[int]) -> Times:
    return Times(np.array(micros, dtype=np.int64), np.ones(len(micros), dtype=bool))


def _with_text_for_times(contract: Contract) -> Contract:
    """Declare times and decimals as text, so that reading CSV does not lose offsets or digits."""
    return msgspec.structs.replace(
        contract,
        features=tuple(
            msgspec.structs.replace(
                feature, type="string", dtype="str", timezone=None, max_age=None, scale=None
            )
            if feature.type in ("timestamp", "date", "decimal")
            else feature
            for feature in contract.features
        ),
    )
