"""Checking files, and logged requests, against a contract."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa
import pytest

from gnomon.contract import Contract
from gnomon.contract.check.contract_report import ContractReport
from gnomon.data_checks.contract_check import check_file, check_log
from gnomon.errors import LogError, TableError
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
from gnomon.settings import Settings
from tests.contract.flight import FLIGHT, RECORD

START = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
ZZ = RECORD | {"carrier": "ZZ"}
LACKING = {name: value for name, value in RECORD.items() if name != "carrier"}


def write(settings: Settings, stream: str, schema: pa.Schema, rows: list[dict[str, Any]]) -> None:
    """Rows as a gateway or a shadow writes them."""
    folder = stream_folder(settings, "flights", "here", stream)
    writer = SegmentWriter(folder, schema, settings=settings)
    for row in rows:  # as single requests come
        writer.append(pa.RecordBatch.from_pylist([row], schema=schema))
    writer.close()


def log(
    settings: Settings, *bodies: Any, artifact: str = "flights:one", **columns: Any
) -> list[str]:
    """Requests of these bodies, a minute after each other; their ids."""
    requests = [new_request_id() for _ in bodies]
    rows: list[dict[str, Any]] = []
    for minute, (request, body) in enumerate(zip(requests, bodies, strict=True)):
        given = body if isinstance(body, bytes) else msgspec.json.encode(body)
        several = body["rows"] if isinstance(body, dict) and "rows" in body else [body]
        base = {
            "request_id": request, "role": "live", "outcome": "answered", "artifact": artifact,
            "arrived": START + dt.timedelta(minutes=minute), **columns,
        }  # fmt: skip
        rows += [base | {"row": row, "raw": None if row else given} for row in range(len(several))]
    write(settings, REQUESTS, request_schema(FLIGHT), rows)
    return requests


def check(settings: Settings, contract: Contract = FLIGHT, **where: Any) -> ContractReport:
    """The check of the log."""
    return check_log(InferenceLog(settings, "flights"), contract, **where)


def rules(checked: ContractReport) -> list[tuple[str, str, int]]:
    """Each finding's feature, rule and rows."""
    return [(one.feature, one.rule, one.rows) for one in checked.findings]


def test_requests_that_keep_to_it(settings: Settings) -> None:
    """Single records and rows, read from their bodies."""
    log(settings, RECORD, {"rows": [RECORD] * 3})
    counted: list[int] = []
    checked = check(settings, progress=counted.append)
    assert (checked.verdict, checked.rows, sum(counted)) == ("kept", 4, 4)
    assert checked.refusals == ()


def test_what_a_request_breaks_is_found_with_its_row_and_time(settings: Settings) -> None:
    """Every row of a refused request is checked, not only the first fault."""
    _, request = log(settings, RECORD, {"rows": [LACKING, ZZ, RECORD | {"distance": "far"}]})
    checked = check(settings)
    assert rules(checked) == [
        ("distance", "type", 1),
        ("carrier", "missing", 1),
        ("carrier", "domain", 1),
    ]
    assert [one.examples[0].row for one in checked.findings] == [
        f"{request} 2",
        f"{request} 0",
        f"{request} 1",
    ]
    assert checked.findings[0].first == START + dt.timedelta(minutes=1)


def test_bodies_without_records_and_fields_beside_them(settings: Settings) -> None:
    """Clients whose code has changed send such bodies."""
    log(settings, b"{nope", b"[1]", b'{"rows": 5}', {"rows": [RECORD], "version": 2}, b"")
    checked = check(settings)
    assert rules(checked) == [("$", "body", 1)] * 3 + [("version", "unknown", 1)]
    assert checked.rows == 4
    assert "1 requests: the log does not hold their bodies" in checked.unchecked[0]


def test_refused_requests_are_counted_by_error_and_feature(settings: Settings) -> None:
    """The server's errors are evidence of a changed client."""
    said = "expected category, but the field is missing at $.rows[3].carrier. it has `$.x`"
    refused = {"outcome": "rejected", "error_code": "invalid_request"}
    log(settings, LACKING, LACKING, **refused, error=said)
    log(settings, b"x", **refused | {"error_code": "malformed_body"}, error="the body is not JSON")
    odd = 'expected integer, got " at $.carrier" at $["tail number"]'
    log(settings, RECORD, **refused, error=odd)
    found = check(settings).refusals
    assert [(one.code, one.feature, one.requests) for one in found] == [
        ("invalid_request", "carrier", 2),
        ("malformed_body", None, 1),
        ("invalid_request", "tail number", 1),
    ]
    assert found[0].example == said
    assert (found[0].first, found[0].last) == (START, START + dt.timedelta(minutes=1))


def test_a_range_and_a_role(settings: Settings) -> None:
    """Rows are selected by arrival, by the live artifact, and by what a shadow saw."""
    first, _ = log(settings, RECORD, ZZ)
    log(settings, LACKING, artifact="flights:two")
    shadow = shadow_schema(FLIGHT)
    seen = {"role": "shadow", "artifact": "flights:two", "arrived": START, "row": 0}
    write(settings, shadow_stream("two"), shadow, [seen | {"request_id": first}])
    assert check(settings).rows == 3
    assert rules(check(settings, start=START + dt.timedelta(minutes=1))) == [
        ("carrier", "domain", 1)
    ]
    assert check(settings, end=START + dt.timedelta(minutes=1)).rows == 2
    two = {"artifact": "flights:two"}
    assert rules(check(settings, role="live", **two)) == [("carrier", "missing", 1)]
    assert check(settings, role="shadow", **two).rows == 1
    assert check(settings, role="shadow", artifact="flights:three").verdict == "unknown"


def test_an_old_timestamp_is_told_by_the_arrival(settings: Settings) -> None:
    """The contract of the next artifact may have a stricter limit than the live one."""
    late = msgspec.structs.replace(
        FLIGHT,
        features=tuple(
            msgspec.structs.replace(f, max_age=dt.timedelta(hours=6))
            if f.name == "scheduled"
            else f
            for f in FLIGHT.features
        ),
    )
    ahead = "2024-05-01T10:00:00-04:00"  # 14:00 UTC, two hours after the arrival
    log(settings, RECORD, RECORD | {"scheduled": "2024-05-01T05:00:00-04:00"})
    log(settings, RECORD | {"scheduled": ahead})
    assert check(settings).verdict == "kept"
    assert sorted(rules(check(settings, late))) == [
        ("scheduled", "future", 1),
        ("scheduled", "stale", 1),
    ]


def test_a_model_without_a_log(settings: Settings) -> None:
    """It is an error, not an empty success."""
    with pytest.raises(LogError, match="no log of a model"):
        check(settings)


def test_a_csv_file_keeps_offsets_and_has_no_types(tmp_path: Path) -> None:
    """The same flights as CSV and as Parquet; one invalid cell does not invalidate the others."""
    rows = pd.DataFrame([RECORD, RECORD, ZZ])
    rows.to_csv(tmp_path / "rows.csv", index=False)
    assert rules(check_file(tmp_path / "rows.csv", FLIGHT)) == [("carrier", "domain", 1)]
    times = pd.to_datetime(rows["scheduled"], utc=True).dt.tz_convert("America/New_York")
    rows.assign(scheduled=times).to_parquet(tmp_path / "rows.parquet")
    assert rules(check_file(tmp_path / "rows.parquet", FLIGHT)) == [("carrier", "domain", 1)]
    odd = rows.assign(distance=["far", "80", "80"], scheduled="2013-04-01T05:15:00Z")
    odd.to_csv(tmp_path / "odd.csv", index=False)
    own = msgspec.structs.replace(FLIGHT.features[-1], outside="error")
    strict = msgspec.structs.replace(FLIGHT, features=(*FLIGHT.features[:-1], own))
    assert rules(check_file(tmp_path / "odd.csv", strict))[:2] == [
        ("distance", "type", 1),
        ("scheduled", "timezone", 3),
    ]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The error has its name."""
    with pytest.raises(TableError, match="there is no such file"):
        check_file(tmp_path / "gone.csv", FLIGHT)


def test_memory_does_not_grow_with_the_log(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are held one chunk at a time, and findings add up over chunks."""
    import gnomon.data_checks.contract_check as checking

    monkeypatch.setattr(checking, "CHUNK_ROWS", 2)
    log(settings, *[ZZ] * 5)
    chunks: list[int] = []
    checked = check(settings, progress=chunks.append)
    assert chunks == [2, 2, 1]
    assert rules(checked) == [("carrier", "domain", 5)]
    assert len(checked.findings[0].examples) == 5
