"""The fast paths change no byte: the same requests to a server with both on and one with both off.

Requests are sent as bytes and answers are compared as bytes, to the end of the connection. Only the
request's id and the time, which no two answers share, are put out of sight.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from gnomon.testing import Server, serving
from tests.packing import pack_in_process, write_service

pytestmark = pytest.mark.slow

SCRIPT = """
import sys
import numpy as np, pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
import gnomon
import preprocessing

random = np.random.default_rng(1)
count = 300
frame = pd.DataFrame({
    "carrier": pd.Series(random.choice(["AA", "B6", "", "UA"], count), dtype="str"),
    "dest": random.choice(["ATL", "LAX"], count),
    "distance": random.normal(800.0, 300.0, count),
    "temp": np.where(random.random(count) < 0.3, np.nan, random.normal(15, 9, count)),
    "stops": random.integers(0, 3, count),
})
late = (frame["distance"] + 100 * (frame["carrier"] == "AA") > 800).map({True: "late", False: "on"})
numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
if "KIND" == "linear":
    steps = ColumnTransformer([
        ("c", OneHotEncoder(handle_unknown="ignore"), ["carrier", "dest"]),
        ("n", numbers, ["distance", "temp", "stops"]),
    ])
    model = LogisticRegression(max_iter=500)
else:
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    steps = ColumnTransformer([
        ("c", OrdinalEncoder(**unknown), ["carrier", "dest"]),
        ("n", "passthrough", ["distance", "temp"]),
    ])
    model = HistGradientBoostingClassifier(max_iter=20, categorical_features=[0, 1], random_state=1)
pipeline = make_pipeline(steps, model).fit(frame, late)
print(gnomon.pack(sys.argv[1], pipeline, frame, late).tag)
"""

GOOD: dict[str, Any] = {
    "carrier": "AA",
    "dest": "ATL",
    "distance": 812.5,
    "temp": None,
    "stops": 1,
}

OFF = {"GNOMON_FAST_HTTP": "0", "GNOMON_FAST_PIPELINE": "0"}

Pair = tuple[Server, Server]


@dataclass(frozen=True)
class Served:
    """Two servers of one home, and the artifacts that either can have live, by their kind."""

    pair: Pair
    tags: dict[str, str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One with the fast paths, and one without."""
    place = tmp_path_factory.mktemp("fast")
    home, folder = place / "bentoml", place / "deployment"
    tags = {
        kind: pack_in_process(place / kind, home, "", "toy", SCRIPT.replace("KIND", kind))
        for kind in ("linear", "boosting")
    }
    write_service(folder, '"toy", body_bytes=40_000, body_rows=50, client_seconds=20')
    with ExitStack() as stack:
        on = stack.enter_context(_served(folder, place / "on", home))
        off = stack.enter_context(_served(folder, place / "off", home, **OFF))
        yield Served((on, off), tags)


@pytest.fixture(scope="module", params=["linear", "boosting"])
def pair(request: pytest.FixtureRequest, served: Served) -> Pair:
    """Both servers with the same artifact live."""
    return _live(served, request.param)


def _live(served: Served, kind: str) -> Pair:
    tag = served.tags[kind]
    for server in served.pair:
        with server.client() as client:
            live = client.status().live
            if live is None or live.artifact != tag:
                client.promote(tag, force=True)
    return served.pair


def _served(folder: Path, root: Path, home: Path, **more: str) -> Any:
    return serving(folder, root, environment={"BENTOML_HOME": str(home), **more})


# What is asked.

VALUES: dict[str, list[Any]] = {
    "carrier": ["", "UA", "a carrier never seen", "é", "\x00", 5, None, True],
    "dest": ["LAX", "SEA", "", None, 1.0],
    "distance": [
        *(0.0, -0.0, 5e-324, 1.7976931348623157e308, -1e300, 1e16, 0.1 + 0.2, 123456789.123456789),
        *(3, 2**53 + 1, -(2**63), 2**63, "12", None, False, [1.0], {"a": 1}),
    ],
    "temp": [None, 0.0, -273.15, 1e300, -1e-300, "warm"],
    "stops": [0, 2, -1, 2**31, 2**63, 1.5, 1.0, None, "1"],
}


def _bodies() -> Iterator[bytes]:
    """Bodies that are answered, and bodies that are refused."""
    for name, values in VALUES.items():
        for value in values:
            yield json.dumps({**GOOD, name: value}).encode()
        yield json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()
    for carrier, dest, distance, temp in itertools.product(
        VALUES["carrier"][:4], VALUES["dest"][:2], VALUES["distance"][:6], VALUES["temp"][:2]
    ):
        yield json.dumps(
            {**GOOD, "carrier": carrier, "dest": dest, "distance": distance, "temp": temp}
        ).encode()
    for count in (0, 1, 2, 50, 51):
        yield json.dumps({"rows": [{**GOOD, "distance": float(n)} for n in range(count)]}).encode()
    yield json.dumps({"rows": [GOOD, {**GOOD, "stops": "x"}]}).encode()
    yield json.dumps({**GOOD, "colour": "red", "size": 3}).encode()
    yield from (b"", b" ", b"{}", b"[]", b"null", b"{", b'{"rows": {}}', b"\xff", b'"' * 50)
    yield b'{"distance": NaN}'
    yield json.dumps({**GOOD, "note": "x" * 30_000}).encode()
    yield json.dumps({**GOOD, "note": "x" * 50_000}).encode()
    yield json.dumps(GOOD, indent=4).encode() + b"\n\n"
    yield b"[" * 5_000


def _plain(body: bytes, *headers: bytes, line: bytes = b"POST /predict HTTP/1.1") -> bytes:
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join([line, b"Host: 127.0.0.1", *headers, length, b"", body])


def _heads() -> Iterator[bytes]:
    """The same body in requests of every shape, kept to the protocol or not."""
    body = json.dumps(GOOD).encode()
    for header in (
        *(b"X-Request-ID: mine", b"x-request-id:  spaced ", b"traceparent: 00-ab-cd-01"),
        *(b"X-Request-ID: a\r\nX-Request-ID: b", b"Connection: close", b"Connection: keep-alive"),
        *(b"Content-Type: text/plain", b"Content-Encoding: gzip", b"Content-Encoding: identity"),
        *(b"Content-Encoding: zstd", b"Content-Encoding: gzip, gzip", b"Content-Encoding: br"),
        *(b"Content-Type: application/x-ndjson", b"Content-Type: Application/X-NDJSON; a=b"),
        *(b"Content-Type: application/vnd.apache.arrow.stream", b"Content-Type: text/csv"),
        *(b"Expect: 100-continue", b"Expect: more", b"Upgrade: h2c", b"Authorization: Bearer x"),
        *(b"Origin: https://elsewhere.example", b"Sec-Fetch-Site: cross-site", b"Accept: */*"),
        *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Bad Header: 1", b"A : 1"),
        *(b"A:\x00", b"A: \x80", b"Host: other", b"Content-Length: 5", b"Cookie: " + b"c" * 9_000),
    ):
        yield _plain(body, header)
    for line in (
        *(b"POST /predict HTTP/1.0", b"POST /predict?a=1 HTTP/1.1", b"POST /predict/ HTTP/1.1"),
        *(b"GET /predict HTTP/1.1", b"PUT /predict HTTP/1.1", b"OPTIONS /predict HTTP/1.1"),
        *(b"POST //predict HTTP/1.1", b"POST /%70redict HTTP/1.1", b"post /predict HTTP/1.1"),
        *(b"POST http://127.0.0.1/predict HTTP/1.1", b"POST /nowhere HTTP/1.1", b"BREW / HTTP/1.1"),
        *(b"POST /predict HTTP/2.0", b"POST  /predict HTTP/1.1", b"POST /predict", b"\x16\x03\x01"),
    ):
        yield _plain(body, line=line)
    yield _plain(body).replace(b"127.0.0.1", b"evil.example")
    yield _plain(body).replace(b"Host: 127.0.0.1\r\n", b"")
    yield b"\r\n\r\n" + _plain(body)
    yield _plain(body).replace(b"\r\n", b"\n")
    yield _plain(body).replace(b"Content-Length: %d" % len(body), b"Content-Length: many")
    yield _plain(body).replace(b"Content-Length: %d" % len(body), b"Content-Length: 99999999")
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    yield b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked
    yield _plain(body)[:-5]
    yield _plain(body)[:40]
    yield _plain(b"", *(b"X-%d: 1" % n for n in range(120)))


BODIES, HEADS = list(_bodies()), list(_heads())

_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DATE = re.compile(rb"date: [^\r\n]*\r\n")


def response_bytes(server: Server, *requests: bytes) -> bytes:
    """All that comes back on one connection, to its end, without ids and times."""
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port), timeout=60) as connection:
        connection.sendall(b"".join(requests))
        connection.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while part := connection.recv(1 << 20):
                received += part
        except ConnectionResetError:
            received += b"(reset)"
    return _DATE.sub(b"", _ID.sub(b"(id)", received))


def test_the_table_is_long_enough() -> None:
    """Some hundred requests, of which some are answered and some refused."""
    assert len(BODIES) + len(HEADS) > 200


def test_bodies_get_the_same_bytes(pair: Pair) -> None:
    """One after the other on one connection, as clients do, in portions that both can queue."""
    on, off = pair
    statuses: set[bytes] = set()
    for begin in range(0, len(BODIES), 20):
        requests = [_plain(body) for body in BODIES[begin : begin + 20]]
        fast, slow = response_bytes(on, *requests), response_bytes(off, *requests)
        assert fast == slow
        statuses.update(re.findall(rb"HTTP/1.1 (\d+)", fast))
    assert {b"200", b"400", b"413", b"422"} <= statuses


def test_each_body_alone_gets_the_same_bytes(served: Served) -> None:
    """Each is sent on a connection of its own, and a good request after it."""
    on, off = _live(served, "linear")
    after = _plain(json.dumps(GOOD).encode())
    for body in BODIES[:: len(BODIES) // 50]:
        assert response_bytes(on, _plain(body), after) == response_bytes(
            off, _plain(body), after
        ), body[:200]


def test_every_shape_of_request_gets_the_same_bytes(served: Served) -> None:
    """What follows it on the connection gets the same bytes too, or the connection ends for
    both.
    """
    on, off = _live(served, "linear")
    after = _plain(json.dumps(GOOD).encode())
    for request in HEADS:
        for requests in ((request,), (request, after)):
            assert response_bytes(on, *requests) == response_bytes(off, *requests), request[:300]


def test_the_settings_are_in_force(pair: Pair) -> None:
    """The tests above must not compare a server with itself: what a worker was started with says
    so.
    """
    for server, value in zip(pair, ("True", "False"), strict=True):
        variables = _environment_of_worker(server)
        assert all(f"{name}={value}".encode() in variables for name in OFF)


def _environment_of_worker(server: Server) -> list[bytes]:
    """The environment of the process that scores for a server."""
    root = f"GNOMON_ROOT={server.settings.root}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"gnomon.worker" not in (folder / "cmdline").read_bytes().split(b"\0"):
                continue
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if root in variables:
            return variables
    raise AssertionError(f"no worker of {server.settings.root}")
