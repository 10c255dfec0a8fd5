"""How a running server answers valid and invalid requests."""

from __future__ import annotations

import asyncio
import codecs
import gzip
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pyarrow as pa
import pytest

from gnomon.errors import InvalidRequest, Unauthorized
from gnomon.labels.label_store import LabelStore
from gnomon.labels.labelled_rows import labelled_rows
from gnomon.log import InferenceLog
from gnomon.service.front_door import FrontDoor
from gnomon.service.http.body_budget import BodyBudget
from gnomon.settings import Settings
from gnomon.testing import Server, serving
from tests.packing import pack_in_process, times, write_service
from tests.service.running import GOOD, SCRIPT


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server for every test here: none changes what is live."""
    place = tmp_path_factory.mktemp("front-door")
    home, folder = place / "bentoml", place / "deployment"
    pack_in_process(place / "code", home, times(1), "toy", SCRIPT)
    write_service(folder, '"toy", body_bytes=2_000_000')
    with serving(folder, place / "root", environment={"BENTOML_HOME": str(home)}) as running:
        yield running


def post(server: Server, body: Any, **headers: str) -> httpx.Response:
    """POST a body, as JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{server.url}/predict", content=content, headers=headers, timeout=30)


def test_a_record_gets_a_prediction(server: Server) -> None:
    """One record in, one prediction out, with the request's id and the artifact's tag."""
    answer = post(server, GOOD).json()
    assert answer["prediction"] == 2.5
    assert answer["artifact"].startswith("toy:")
    assert len(answer["request_id"]) == 36


def test_rows_get_a_prediction_each_in_order(server: Server) -> None:
    """``{"rows": […]}`` answers ``rows``, as many and in that order."""
    answer = post(server, {"rows": [{**GOOD, "x": float(n)} for n in range(5)]}).json()
    assert [row["prediction"] for row in answer["rows"]] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_ten_thousand_rows_at_once(server: Server) -> None:
    """As many rows as the settings allow are answered in one request, one more is refused."""
    rows = [{**GOOD, "x": float(n)} for n in range(10_000)]
    answer = post(server, {"rows": rows}).json()
    assert [row["prediction"] for row in answer["rows"]] == [float(n) for n in range(10_000)]
    refused = post(server, {"rows": [*rows, GOOD]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "body_too_large")
    assert "10,000" in refused.json()["error"]["message"]


def label(server: Server, body: Any, query: str = "", **headers: str) -> httpx.Response:
    """POST labels with the control token."""
    token = server.client()._control_token
    headers = {"authorization": f"Bearer {token}", **headers}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{server.url}/labels{query}", content=content, headers=headers, timeout=30)


def test_a_label_is_stored_and_joined_with_its_prediction(server: Server) -> None:
    """By request or by entity and time; in JSON, or one a line; sent again it changes nothing."""
    request = post(server, GOOD).json()["request_id"]
    with server.client() as client:
        assert client.label({"request_id": request, "value": 3}).accepted == 1
    entity = {"entity": {"id": "labelled"}, "event_time": GOOD["at"], "value": 4.5}
    post(server, {**GOOD, "id": "labelled"})
    lines = json.dumps(entity).encode() + b"\n" + json.dumps(entity).encode()
    answer = label(server, lines, **{"content-type": "application/x-ndjson"})
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2})
    log = InferenceLog(server.settings, "toy")
    records = LabelStore(server.settings, "toy").read()
    with server.client() as client:
        contract = client.contract()
    rows = labelled_rows(log, records, contract, within=timedelta(1))
    found = [row for batch in rows for row in batch.to_pylist()]
    assert [(row["input_id"], row["label"]) for row in found] == [("a", 3.0), ("labelled", 4.5)]
    assert found[0]["request_id"] == request
    with server.client() as client:
        status = client.label_status()
        assert client.check_gates().gates == ()
        with pytest.raises(InvalidRequest, match="expected an artifact of `toy`"):
            client.measure_quality("other:one")
    assert (status.fates["counted"], status.fates["duplicate"]) == (2, 1)


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ([{"request_id": "a", "value": 1}, {"request_id": "a", "value": "1"}], 422, "$[1].value"),
        ({"request_id": "a"}, 422, "$"),
        (b"[", 400, None),
        (b" " * (1 << 20) + b"[]", 413, None),
        ([{"request_id": "a", "value": 1}] * 10_001, 413, None),
    ],
    ids=["text", "no value", "no JSON", "bytes", "labels"],
)
def test_a_label_that_is_refused_says_where(
    server: Server, body: Any, status: int, where: str | None
) -> None:
    """And nothing of its request is stored."""
    before = LabelStore(server.settings, "toy").read().num_rows
    answer = label(server, body)
    assert answer.status_code == status
    assert where is None or answer.json()["error"]["where"] == where
    assert LabelStore(server.settings, "toy").read().num_rows == before


def test_a_query_of_labels_is_refused(server: Server) -> None:
    """A `correction` in the URL had no effect, and the label counted as one sent again."""
    before = LabelStore(server.settings, "toy").read().num_rows
    answer = label(server, [{"request_id": "a", "value": 1}], query="?correction=1")
    error = answer.json()["error"]
    assert (answer.status_code, error["where"]) == (422, "?correction")
    assert error["hint"] == "its fields are in the JSON body"
    assert LabelStore(server.settings, "toy").read().num_rows == before


def test_labels_need_the_token(server: Server) -> None:
    """Also to learn what is wrong with them."""
    answer = label(server, [], authorization="Bearer wrong")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
    assert httpx.get(f"{server.url}/labels").status_code == 405


BAD: dict[str, tuple[Any, int, str, str | None]] = {
    "malformed JSON": (b'{"x": 1', 400, "malformed_body", None),
    "not UTF-8": (b'{"id": "\xff"}', 400, "malformed_body", None),
    "NaN": (json.dumps({**GOOD, "x": float("nan")}).encode(), 400, "malformed_body", "$.x"),
    "Infinity": (json.dumps({**GOOD, "x": float("inf")}).encode(), 400, "malformed_body", "$.x"),
    "wrong type": ({**GOOD, "x": "12"}, 422, "invalid_request", "$.x"),
    "a fraction for an integer": ({**GOOD, "seats": 3.5}, 422, "invalid_request", "$.seats"),
    "an integer beyond 64 bits": ({**GOOD, "seats": 2**63}, 422, "invalid_request", "$.seats"),
    "a number for a boolean": ({**GOOD, "weekend": 1}, 422, "invalid_request", "$.weekend"),
    "null where null is unknown": ({**GOOD, "x": None}, 422, "invalid_request", "$.x"),
    "a missing field": (
        {key: value for key, value in GOOD.items() if key != "seats"},
        422,
        "invalid_request",
        "$.seats",
    ),
    "a time without a zone": (
        {**GOOD, "at": "2013-04-01T05:00:00"},
        422,
        "invalid_request",
        "$.at",
    ),
    "a time without an offset": (
        {**GOOD, "at": "2013-04-01T01:00"},
        422,
        "invalid_request",
        "$.at",
    ),
    "empty rows": ({"rows": []}, 422, "invalid_request", "$.rows"),
    "a bad row among good ones": (
        {"rows": [GOOD, {**GOOD, "x": "12"}]},
        422,
        "invalid_request",
        "$.rows[1].x",
    ),
    "an array": ([GOOD], 422, "invalid_request", "$"),
}


@pytest.mark.parametrize(("body", "status", "code", "where"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_with_its_place(
    server: Server, body: Any, status: int, code: str, where: str | None
) -> None:
    """Each kind of bad input gets its status, its code and the path of the offending value, and
    is in the log before it is answered."""
    answer = post(server, body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["where"]) == (status, code, where)
    assert set(error) == {"code", "message", "where", "hint", "request_id"}
    log = InferenceLog(server.settings, "toy")
    table = log.table(columns=["request_id", "outcome", "error_code", "raw"])
    logged = {row["request_id"]: row for row in table.to_pylist()}[error["request_id"]]
    assert (logged["outcome"], logged["error_code"]) == ("rejected", code)
    assert logged["raw"] == (body if isinstance(body, bytes) else json.dumps(body).encode())


def test_an_extra_field_is_kept_and_counted(server: Server) -> None:
    """A field the contract does not know is no reason to refuse; it is logged and counted."""
    answer = post(server, {**GOOD, "colour": "red"}).json()
    table = InferenceLog(server.settings, "toy").table(columns=["request_id", "unknown", "raw"])
    (logged,) = [r for r in table.to_pylist() if r["request_id"] == answer["request_id"]]
    assert logged["unknown"] == ["colour"]
    assert b'"red"' in logged["raw"]
    metrics = httpx.get(f"{server.url}/metrics").text
    assert 'gnomon_unknown_fields_total{field="colour",model="toy"} 1.0' in metrics


def test_a_whole_float_is_an_integer(server: Server) -> None:
    """``149.0`` is accepted for an integer feature."""
    assert post(server, {**GOOD, "seats": 149.0}).status_code == 200


def test_a_body_over_the_limit_is_refused_before_it_is_read(server: Server) -> None:
    """A body that says it is too long is refused by its header."""
    answer = post(server, b" " * 2_000_001)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    assert "2,000,000" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "unknown_route"),
        ("POST", "/predict/", 404, "unknown_route"),
        ("GET", "/livez/", 404, "unknown_route"),
        ("GET", "/gnomon%2Fstatus", 404, "unknown_route"),
        ("GET", "/predict", 405, "method_not_allowed"),
        ("POST", "/livez", 405, "method_not_allowed"),
        ("PUT", "/schema.json", 405, "method_not_allowed"),
        ("BREW", "/predict", 501, "unknown_method"),
        ("DELETE", "/status.json", 405, "method_not_allowed"),
        ("POST", "/gnomon/nowhere", 404, "unknown_route"),
        ("POST", "/gnomon/promote", 401, "unauthorized"),
    ],
)
def test_a_wrong_route_method_or_token_is_an_error(
    server: Server, method: str, path: str, status: int, code: str
) -> None:
    """All errors have one shape, whichever part of the server answers."""
    answer = httpx.request(method, server.url + path, json={"artifact": "toy:none"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert "location" not in answer.headers
    assert (status == 405) == ("allow" in answer.headers)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{}", {"Content-Encoding": "br"}, 415, "unknown_content_coding"),
        (b"{}", {"Content-Encoding": "gzip"}, 400, "malformed_body"),
        (gzip.compress(b"{}")[:-1], {"Content-Encoding": "gzip"}, 400, "malformed_body"),
        (codecs.BOM_UTF8 + b"{}", {}, 400, "malformed_body"),
        (
            "{}".encode("utf-16"),
            {"Content-Type": "a/b; charset=utf-16"},
            400,
            "malformed_body",
        ),
        ("{}".encode("utf-32"), {}, 400, "malformed_body"),
    ],
    ids=["brotli", "no gzip", "gzip cut short", "UTF-8 with a mark", "UTF-16", "UTF-32"],
)
def test_a_body_in_an_unknown_coding_is_refused(
    server: Server, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    """The error says what to do about it."""
    error = post(server, body, **headers)
    assert (error.status_code, error.json()["error"]["code"]) == (status, code)
    assert error.json()["error"]["hint"]


@pytest.mark.parametrize("coding", ["gzip", "zstd", "identity"])
def test_a_compressed_body_is_answered_and_logged_as_the_plain_one(
    server: Server, coding: str
) -> None:
    """Short ones, and long ones, which another process reads."""
    for request in (GOOD, {"rows": [GOOD] * 3_000}):
        body = json.dumps(request).encode()
        sent = body if coding == "identity" else pa.compress(body, codec=coding, asbytes=True)
        answer = post(server, sent, **{"Content-Encoding": coding})
        assert answer.status_code == 200, answer.text
        plain = post(server, body).json()
        assert {**answer.json(), "request_id": plain["request_id"]} == plain


def test_an_unknown_artifact_is_told_with_those_there_are(server: Server) -> None:
    """Promoting what is not in the store says what is."""
    with server.client() as control:
        (tag,) = [control.status().live.artifact]  # type: ignore[union-attr]
        with pytest.raises(Exception, match=tag):
            control.promote("toy:none")


def test_a_client_that_disconnects_early_does_not_affect_the_next(server: Server) -> None:
    """Half a request and no more; the next is answered."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert post(server, GOOD).status_code == 200


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/metrics", "/docs.json", "/", "/status.json"]
)
def test_health_metrics_and_pages_answer(server: Server, path: str) -> None:
    """What BentoML serves and what Gnomon serves, side by side."""
    assert httpx.get(server.url + path).status_code == 200


def test_the_document_and_the_page_describe_the_contract(server: Server) -> None:
    """Every feature is in ``/docs.json`` and on the index page."""
    document, page = httpx.get(f"{server.url}/docs.json").text, httpx.get(server.url).text
    for name in GOOD:
        assert f'"{name}"' in document
        assert name in page


def test_bentomls_own_client_calls_it(server: Server) -> None:
    """The stock ``bentoml.SyncHTTPClient`` needs nothing of ours."""
    script = (
        "import bentoml, json, sys\n"
        "with bentoml.SyncHTTPClient(sys.argv[1]) as client:\n"
        "    print(json.dumps(client.predict(rows=json.loads(sys.argv[2]))))\n"
    )
    command = [sys.executable, "-c", script, server.url, json.dumps([GOOD])]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)["rows"][0]["prediction"] == 2.5


def test_the_clients_own_request_id_is_logged(server: Server) -> None:
    """``X-Request-ID`` is logged with the request's own id, so that both sides can find it."""
    answer = post(server, GOOD, **{"X-Request-ID": "from-the-client"}).json()
    table = InferenceLog(server.settings, "toy").table(columns=["request_id", "client_id"])
    (logged,) = [r for r in table.to_pylist() if r["request_id"] == answer["request_id"]]
    assert logged["client_id"] == "from-the-client"


def test_labels_of_who_is_revoked_while_they_arrive_are_not_stored() -> None:
    """A body may arrive slowly; what counts is what its sender may do when it is complete."""
    asked: list[str] = []

    async def authorize(scope: object, role: str) -> None:
        asked.append(role)
        if len(asked) > 1:
            raise Unauthorized("the token `lab` was revoked")

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"[]"}

    async def nothing(_: object) -> None:
        raise AssertionError("nothing is answered here, and nothing is stored")

    control = SimpleNamespace(access=SimpleNamespace(authorize=authorize))
    labels = SimpleNamespace(held=BodyBudget(1_000, free=0, what="labels"), add=nothing)
    runtime: Any = SimpleNamespace(control=control, labels=labels, settings=Settings())
    scope = {"type": "http", "method": "POST", "path": "/labels", "headers": []}
    scope["query_string"] = b""
    with pytest.raises(Unauthorized, match="was revoked"):
        asyncio.run(FrontDoor(nothing, lambda: runtime)._labels(scope, receive, nothing))
    assert asked == ["labeller", "labeller"]
